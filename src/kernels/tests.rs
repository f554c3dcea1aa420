//! Every kernel on every instruction set of this machine against a plain loop.
#![allow(clippy::unwrap_used)]

mod bounds;

use proptest::prelude::*;

use super::attention::{Attend, Bias, Scratch};
use super::product8::{Multiply, Quantize, QuantizedRows, Weights};
use super::rows::{AddAndNormalize, Norm};
use super::similarity::Products;
use super::{Isa, product, run};

/// Numbers that look random and are the same every time.
fn noise(seed: u64, len: usize, spread: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 2.0 * spread
        })
        .collect()
}

/// Some scales, the sums of the weights `[n / 16][k / 4][16][4]` times those, and some biases.
fn columns(seed: u64, n: usize, values: &[i8]) -> Vec<f32> {
    let mut columns = noise(seed, 3 * n, 0.01);
    for (b, block) in values.chunks_exact(values.len() / n * 16).enumerate() {
        for c in 0..16 {
            let weights = block.chunks_exact(64).flat_map(|columns| &columns[4 * c..][..4]);
            columns[n + 16 * b + c] = columns[16 * b + c] * weights.map(|w| f32::from(*w)).sum::<f32>();
        }
    }
    columns
}

/// Whether `out` is what the first instruction set with fused multiply-add gave: the same arithmetic in the same order.
fn same_bits(first: &mut Option<Vec<f32>>, isa: Isa, out: &[f32]) -> bool {
    let fused = isa != Isa::Portable || cfg!(target_arch = "aarch64");
    !fused || first.get_or_insert_with(|| out.to_vec()) == out
}

fn gelu(x: f64) -> f64 {
    // erf by its series: slow and sure.
    let z = x / std::f64::consts::SQRT_2;
    if z.abs() > 5.0 {
        return if x > 0.0 { x } else { 0.0 };
    }
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    0.5 * x * (1.0 + sum * 2.0 / std::f64::consts::PI.sqrt())
}

/// Every other test runs on what is available alone: a set that is missing there would be tested nowhere.
#[test]
fn available_is_all_that_this_cpu_has() {
    let found = Isa::available();
    assert_eq!(found.last(), Some(&Isa::Portable));
    assert_eq!(found.first(), Some(&Isa::detect()));
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        assert_eq!(found.contains(&Isa::Avx2), avx2);
        assert_eq!(
            found.contains(&Isa::AvxVnni),
            avx2 && is_x86_feature_detected!("avxvnni")
        );
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        assert_eq!(found.contains(&Isa::Avx512), avx2 && avx512);
    }
    #[cfg(target_arch = "aarch64")]
    assert_eq!(
        found.contains(&Isa::Neon),
        std::arch::is_aarch64_feature_detected!("dotprod")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn products_of_vectors_are_close_for_any_length(length in 0..200_usize, seed: u64) {
        let (a, b) = (noise(seed, length, 2.0), noise(seed ^ 1, length, 2.0));
        let sum = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
        for isa in Isa::available() {
            let mut sums = (0.0, 0.0);
            // SAFETY: this CPU has the instruction set.
            unsafe { run(isa, Products { a: &a, b: &b, out: &mut sums }) };
            prop_assert!((f64::from(sums.0) - sum(&a, &b)).abs() < 1e-4, "{isa:?}");
            prop_assert!((f64::from(sums.1) - sum(&b, &b)).abs() < 1e-4, "{isa:?}");
        }
    }

    #[test]
    fn product_is_exact_in_its_integers(
        rows in prop_oneof![1..20_usize, 30..70_usize], k in prop_oneof![1..6_usize, Just(8), Just(12)], n in 1..9_usize, seed: u64, with_gelu: bool,
    ) {
        let (k, n) = (16 * k, 16 * n);
        let x = noise(seed, rows * k, 3.0);
        let mut plain: Vec<i8> = noise(seed ^ 1, k * n, 127.0).iter().map(|w| *w as i8).collect();
        // A column without weights, whose scale is 0.
        plain.iter_mut().skip(n - 1).step_by(n).for_each(|w| *w = 0);
        let outliers = [3_i32, 7];
        let mut values = vec![0_i8; k * n];
        for i in 0..k {
            for c in 0..n {
                if !outliers.contains(&(i as i32)) {
                    values[((c / 16 * (k / 4) + i / 4) * 16 + c % 16) * 4 + i % 4] = plain[i * n + c];
                }
            }
        }
        let mut columns = columns(seed ^ 2, n, &values);
        columns[n - 1] = 0.0;
        let outlier_weights = noise(seed ^ 3, 2 * n, 1.0);
        let weights = Weights { k, n, values: &values, columns: &columns, outliers: &outliers, outlier_weights: &outlier_weights };
        prop_assert!(weights.is_consistent());

        let mut expected = vec![0.0_f64; rows * n];
        for r in 0..rows {
            let mut row = x[r * k..][..k].to_vec();
            for o in outliers { row[o as usize] = 0.0; }
            let low = row.iter().copied().fold(f32::MAX, f32::min);
            let range = row.iter().copied().fold(f32::MIN, f32::max) - low;
            for c in 0..n {
                let mut sum = 0_i64;
                for i in 0..k {
                    if !outliers.contains(&(i as i32)) {
                        let q = ((row[i] - low) * (255.0 / range)).min(255.0).round_ties_even();
                        sum += q as i64 * i64::from(plain[i * n + c]);
                    }
                }
                let mut y = sum as f64 * f64::from(columns[c]) * f64::from(range / 255.0)
                    + f64::from(columns[n + c]) * f64::from(low) + f64::from(columns[2 * n + c]);
                for (j, o) in outliers.iter().enumerate() {
                    y += f64::from(x[r * k + *o as usize]) * f64::from(outlier_weights[j * n + c]);
                }
                expected[r * n + c] = if with_gelu { gelu(y) } else { y };
            }
        }
        let largest = expected.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
        let mut first = None;
        for isa in Isa::available() {
            let mut quantized = QuantizedRows::default();
            let mut out = vec![f32::NAN; rows * n];
            // SAFETY: the instruction set is available and the lengths fit.
            unsafe {
                run(isa, Quantize { x: &x, weights, to: &mut quantized });
                let (half, all) = (n / 32, n / 16);
                for blocks in [0..half, half..all] {
                    run(isa, Multiply { rows: &quantized, weights, blocks, gelu: with_gelu, out: out.as_mut_ptr() });
                }
            }
            for (a, e) in out.iter().zip(&expected) {
                prop_assert!((f64::from(*a) - e).abs() <= 4e-6 * largest, "{isa:?}: {a} for {e}");
            }
            prop_assert!(same_bits(&mut first, isa, &out), "{isa:?}");
        }
    }

    #[test]
    fn float_product_matches_its_definition_and_keeps_rows_apart(
        rows in prop_oneof![1..20_usize, 30..35_usize, 45..70_usize], k in prop_oneof![1..100_usize, 760..780_usize, Just(96), Just(768), Just(800)], n in 1..9_usize, seed: u64, with_gelu: bool,
    ) {
        let n = 16 * n;
        let x = noise(seed, rows * k, 1.0);
        let plain = noise(seed ^ 1, k * n, 1.0);
        let values: Vec<f32> = (0..n / 16)
            .flat_map(|block| plain.chunks_exact(n).flat_map(move |row| &row[16 * block..][..16]))
            .copied()
            .collect();
        let bias = noise(seed ^ 2, n, 1.0);
        let weights = product::Weights { k, n, values: &values, bias: &bias };
        prop_assert!(weights.is_consistent());
        let mut first = None;
        for isa in Isa::available() {
            let multiply = |x: &[f32]| {
                let mut out = vec![f32::NAN; x.len() / k * n];
                let (half, all) = (n / 32, n / 16);
                for blocks in [0..half, half..all] {
                    let multiply = product::Multiply { x, weights, blocks, gelu: with_gelu, out: out.as_mut_ptr() };
                    // SAFETY: the instruction set is available and the lengths fit.
                    unsafe { run(isa, multiply) };
                }
                out
            };
            let out = multiply(&x);
            // Tiles add the same products up in another order.
            prop_assert!(isa == Isa::Amx || same_bits(&mut first, isa, &out), "{isa:?}");
            for r in 0..rows {
                for c in 0..n {
                    let sum: f64 = (0..k).map(|i| f64::from(x[r * k + i]) * f64::from(plain[i * n + c])).sum();
                    let y = sum + f64::from(bias[c]);
                    let e = if with_gelu { gelu(y) } else { y };
                    let a = f64::from(out[r * n + c]);
                    prop_assert!((a - e).abs() < 1e-4, "{isa:?}: {a} for {e}");
                }
                prop_assert_eq!(&multiply(&x[r * k..][..k]), &out[r * n..][..n]);
            }
        }
    }

    #[test]
    fn a_float_product_of_two_numbers_is_exact_but_for_rounding(rows in 1..70_usize, k in prop_oneof![Just(32_usize), Just(64), Just(800)], seed: u64) {
        let n = 64;
        let values = noise(seed, k * n, 100.0);
        let numbers = noise(seed ^ 1, rows, 1.0);
        // One number in each row, so that nothing hides a part of a product that is missing.
        let at = |r: usize| (r * 7 + seed as usize % k) % k;
        let mut x = vec![0.0; rows * k];
        for r in 0..rows { x[r * k + at(r)] = numbers[r]; }
        let bias = vec![0.0; n];
        let weights = product::Weights { k, n, values: &values, bias: &bias };
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; rows * n];
            // SAFETY: the instruction set is available and the lengths fit.
            unsafe { run(isa, product::Multiply { x: &x, weights, blocks: 0..n / 16, gelu: false, out: out.as_mut_ptr() }) };
            for r in 0..rows {
                for c in 0..n {
                    let e = f64::from(numbers[r]) * f64::from(values[(c / 16 * k + at(r)) * 16 + c % 16]);
                    let a = f64::from(out[r * n + c]);
                    prop_assert!((a - e).abs() <= 2.5e-7 * e.abs(), "{isa:?}: {a} for {e}");
                }
            }
        }
    }

    #[test]
    fn numbers_that_are_none_stay_in_their_row_and_column(rows in 1..40_usize, row: prop::sample::Index, column in 0..64_usize, number in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(f32::from_bits(0x7FFF_FFFF)), Just(f32::from_bits(0x7F80_0001))]) {
        let (k, n) = (64, 64);
        let (mut x, mut values) = (vec![0.5_f32; rows * k], vec![0.25_f32; k * n]);
        let row = row.index(rows);
        x[row * k + 5] = number;
        values[(column / 16 * k + 9) * 16 + column % 16] = number;
        let bias = vec![0.0; n];
        let weights = product::Weights { k, n, values: &values, bias: &bias };
        for isa in Isa::available() {
            let mut out = vec![0.0; rows * n];
            // SAFETY: the instruction set is available and the lengths fit.
            unsafe { run(isa, product::Multiply { x: &x, weights, blocks: 0..n / 16, gelu: false, out: out.as_mut_ptr() }) };
            for r in 0..rows {
                for c in 0..n {
                    let y = out[r * n + c];
                    prop_assert!(if r == row || c == column { !y.is_finite() } else { y == 8.0 }, "{isa:?}: {y} in row {r}, column {c}");
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_neighbours(rows in 2..30_usize, seed: u64) {
        let (k, n) = (64, 96);
        let x = noise(seed, rows * k, 2.0);
        let values: Vec<i8> = noise(seed ^ 1, k * n, 127.0).iter().map(|w| *w as i8).collect();
        let columns = columns(seed ^ 2, n, &values);
        let weights = Weights { k, n, values: &values, columns: &columns, outliers: &[], outlier_weights: &[] };
        let isa = Isa::detect();
        let product = |x: &[f32]| {
            let mut quantized = QuantizedRows::default();
            let mut out = vec![0.0; x.len() / k * n];
            // SAFETY: detected, and the lengths fit.
            unsafe {
                run(isa, Quantize { x, weights, to: &mut quantized });
                run(isa, Multiply { rows: &quantized, weights, blocks: 0..n / 16, gelu: true, out: out.as_mut_ptr() });
            }
            out
        };
        let together = product(&x);
        for r in 0..rows {
            prop_assert_eq!(&product(&x[r * k..][..k]), &together[r * n..][..n]);
        }
    }

    #[test]
    fn normalisation_matches_its_definition(rows in 1..20_usize, hidden in 1..50_usize, seed: u64) {
        let hidden = 16 * hidden;
        let (x, residual) = (noise(seed, rows * hidden, 4.0), noise(seed ^ 1, rows * hidden, 4.0));
        let (gamma, beta) = (noise(seed ^ 2, hidden, 1.0), noise(seed ^ 3, hidden, 1.0));
        let norm = Norm { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
        let mut first = None;
        for isa in Isa::available() {
            let mut out = x.clone();
            // SAFETY: available, and the lengths fit.
            unsafe { run(isa, AddAndNormalize { out: &mut out, residual: &residual, norm }) };
            prop_assert!(same_bits(&mut first, isa, &out), "{isa:?}");
            for r in 0..rows {
                let sum: Vec<f64> = (0..hidden).map(|i| f64::from(x[r * hidden + i]) + f64::from(residual[r * hidden + i])).collect();
                let mean = sum.iter().sum::<f64>() / hidden as f64;
                let variance = sum.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / hidden as f64;
                for i in 0..hidden {
                    let e = (sum[i] - mean) / (variance + 1e-5).sqrt() * f64::from(gamma[i]) + f64::from(beta[i]);
                    prop_assert!((f64::from(out[r * hidden + i]) - e).abs() < 2e-5);
                }
            }
        }
    }

    #[test]
    fn attention_matches_its_definition(tokens in prop_oneof![3 => 1..70_usize, 1 => 90..200_usize], padding in 0..20_usize, size in prop_oneof![3 => 1..5_usize, 1 => 5..13_usize], seed: u64) {
        let (head_size, heads) = (16 * size, 2);
        let (hidden, total) = (heads * head_size, tokens + padding);
        let x = noise(seed, total * 3 * hidden, 2.0);
        let mask: Vec<f32> = (0..total).map(|t| if t < tokens { 0.0 } else { f32::MIN }).collect();
        let position = noise(seed ^ 1, total * total, 1.0);
        let scale = 1.0 / (head_size as f32).sqrt();
        let mut first = None;
        for isa in Isa::available() {
            let mut scratch = Scratch::default();
            let mut attend = |total: usize, mask: &[f32]| {
                let mut out = vec![0.0; total * hidden];
                let mut narrow = Vec::new();
                for t in 0..total { narrow.extend_from_slice(&position[t * (tokens + padding)..][..total]); }
                let biases = [Bias { values: &narrow, stride: total }, Bias { values: mask, stride: 0 }];
                for head in 0..heads {
                    // SAFETY: available, and the pointers stay inside x and out.
                    unsafe {
                        let from = x.as_ptr().add(head * head_size);
                        run(isa, Attend {
                            query: from, key: from.add(hidden), value: from.add(2 * hidden), stride: 3 * hidden,
                            out: out.as_mut_ptr().add(head * head_size), out_stride: hidden,
                            tokens: total, head_size, scale, biases: &biases, scratch: &mut scratch,
                        });
                    }
                }
                out
            };
            let out = attend(total, &mask);
            prop_assert!(same_bits(&mut first, isa, &out), "{isa:?}");
            for head in 0..heads {
                for q in 0..tokens {
                    let at = |row: usize, part: usize, d: usize| f64::from(x[row * 3 * hidden + part * hidden + head * head_size + d]);
                    let scores: Vec<f64> = (0..tokens).map(|t| {
                        (0..head_size).map(|d| at(q, 0, d) * at(t, 1, d)).sum::<f64>() * f64::from(scale) + f64::from(position[q * total + t])
                    }).collect();
                    let highest = scores.iter().copied().fold(f64::MIN, f64::max);
                    let weights: Vec<f64> = scores.iter().map(|s| (s - highest).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for d in 0..head_size {
                        let e = (0..tokens).map(|t| weights[t] * at(t, 2, d)).sum::<f64>() / sum;
                        let a = f64::from(out[q * hidden + head * head_size + d]);
                        prop_assert!((a - e).abs() < 2e-5, "{isa:?} {a} {e}");
                    }
                }
            }
            // Padding changes nothing, to the bit.
            prop_assert_eq!(&attend(tokens, &mask[..tokens])[..], &out[..tokens * hidden]);
        }
    }
}
