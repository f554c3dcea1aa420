//! What is done with finished vectors, against plain loops in double precision, for any numbers that there are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use sentence_embedder::vectors::{
    Match, binarize, binary_bytes, cosine, dot, quantize_int8, top_k, truncate,
};

/// Numbers as embeddings have them, and now and then any bit pattern: NaN, infinite, too small or too large to be squared.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![20 => -1.0_f32..1.0, 1 => any::<u32>().prop_map(f32::from_bits)]
}

fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -1.0_f32..1.0, 1 => any::<f32>().prop_filter("finite", |x| x.is_finite())]
}

fn rows(dimension: usize) -> impl Strategy<Value = Vec<Vec<f32>>> {
    let row = prop_oneof![
        6 => prop::collection::vec(number(), dimension),
        1 => Just(vec![0.0; dimension]),
        // Few directions, so that there are ties.
        3 => prop::collection::vec(prop_oneof![Just(-1.0_f32), Just(1.0)], dimension),
    ];
    prop::collection::vec(row, 0..40)
}

fn plain_dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

fn plain_cosine(a: &[f32], b: &[f32]) -> f64 {
    let lengths = plain_dot(a, a).sqrt() * plain_dot(b, b).sqrt();
    if lengths == 0.0 {
        0.0
    } else {
        plain_dot(a, b) / lengths
    }
}

proptest! {
    #[test]
    fn dot_and_cosine_are_those_of_a_plain_loop(
        (a, b) in (1..70_usize).prop_flat_map(|n| (prop::collection::vec(number(), n), prop::collection::vec(number(), n)))
    ) {
        let (expected, got) = (plain_dot(&a, &b), dot(&a, &b));
        // Rounding is relative to what was added up, not to what is left of it.
        let sizes: f64 = a.iter().zip(&b).map(|(&x, &y)| (f64::from(x) * f64::from(y)).abs()).sum();
        if expected.is_finite() {
            prop_assert!((got - expected).abs() <= 1e-5 * sizes + 1e-18, "{got} is not {expected}");
        } else {
            prop_assert!(got.is_nan() == expected.is_nan());
        }
        let (expected, got) = (plain_cosine(&a, &b), cosine(&a, &b));
        if expected.is_nan() {
            prop_assert!(got.is_nan());
        } else {
            prop_assert!((got - expected).abs() < 1e-5 && got.abs() <= 1.0, "{got} is not {expected}");
        }
    }

    #[test]
    fn top_k_is_the_beginning_of_all_rows_in_order(
        (query, rows) in (1..40_usize).prop_flat_map(|n| (prop::collection::vec(finite(), n), rows(n))),
        k in prop_oneof![0..50_usize, Just(usize::MAX)],
    ) {
        let found = top_k(&query, rows.iter().map(Vec::as_slice), k);
        let mut all: Vec<Match> = rows
            .iter()
            .enumerate()
            .map(|(index, row)| Match { index, score: cosine(&query, row) })
            .filter(|found| !found.score.is_nan())
            .collect();
        all.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.index.cmp(&b.index)));
        all.truncate(k);
        prop_assert_eq!(found, all);
    }

    #[test]
    fn int8_is_off_by_half_a_step_at_most(vector in prop::collection::vec(finite(), 1..70)) {
        let mut bytes = vec![0; vector.len()];
        let scale = f64::from(quantize_int8(&vector, &mut bytes));
        for (&x, &byte) in vector.iter().zip(&bytes) {
            let off = (f64::from(byte) * scale - f64::from(x)).abs();
            prop_assert!(off <= scale * 0.500_1 + 1e-43, "{x} became {byte} times {scale}");
            prop_assert!(byte > i8::MIN);
        }
    }

    #[test]
    fn bits_are_the_signs(vector in prop::collection::vec(finite(), 1..70)) {
        let mut bytes = vec![0xFF; binary_bytes(vector.len())];
        binarize(&vector, &mut bytes);
        for at in 0..bytes.len() * 8 {
            let bit = bytes[at / 8] >> (7 - at % 8) & 1;
            prop_assert_eq!(bit == 1, vector.get(at).is_some_and(|x| *x > 0.0));
        }
    }

    #[test]
    fn what_is_cut_has_length_one_and_its_direction(vector in prop::collection::vec(finite(), 1..70), part in 0.0..1.0) {
        let length = 1 + (part * (vector.len() - 1) as f64) as usize;
        let mut cut = vec![f32::NAN; length];
        truncate(&vector, &mut cut);
        if vector[..length].iter().all(|x| *x == 0.0) {
            prop_assert!(cut.iter().all(|x| *x == 0.0));
        } else {
            prop_assert!((plain_dot(&cut, &cut) - 1.0).abs() < 1e-5);
            prop_assert!(plain_cosine(&cut, &vector[..length]) > 0.999_99);
        }
    }
}

#[test]
fn a_vector_of_zeros_is_like_nothing_and_one_with_nan_is_never_found() {
    assert_eq!(cosine(&[0.0, 0.0], &[1.0, 2.0]), 0.0);
    assert!(cosine(&[f32::NAN, 0.0], &[1.0, 2.0]).is_nan());
    assert!(cosine(&[f32::INFINITY, 0.0], &[1.0, 2.0]).is_nan());
    let rows: [&[f32]; 4] = [&[f32::NAN, 0.0], &[-1.0, 0.0], &[0.0, 0.0], &[f32::INFINITY, 0.0]];
    let found = top_k(&[1.0, 0.0], rows.into_iter(), 9);
    assert_eq!(
        found,
        [
            Match { index: 2, score: 0.0 },
            Match {
                index: 1,
                score: -1.0
            }
        ]
    );
}

#[test]
fn of_equal_rows_the_first_are_found() {
    let row: &[f32] = &[0.6, 0.8];
    let found = top_k(&[1.0, 1.0], std::iter::repeat_n(row, 9), 3);
    assert_eq!(
        found.iter().map(|found| found.index).collect::<Vec<_>>(),
        [0, 1, 2]
    );
}

#[test]
fn squares_that_f32_cannot_hold_make_no_difference() {
    for size in [1e-30_f32, 1e-10, 1.0, 1e25, 1e38] {
        assert!(
            (cosine(&[size, 0.0], &[size, size]) - 0.5_f64.sqrt()).abs() < 1e-6,
            "{size}"
        );
    }
}
