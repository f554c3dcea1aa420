//! What is done with finished vectors: comparing, searching, and making them smaller. Pure functions that take any numbers.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::kernels::similarity;

/// Sums in `f32` beyond these bounds may have lost what was small, or everything: they are made again in `f64`.
const TRUSTED: std::ops::RangeInclusive<f32> = 1e-20..=1e30;

/// Dimensions in one byte of a binary vector.
const BITS: usize = 8;

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Which row, from 0.
    pub index: usize,
    /// Its cosine with the query.
    pub score: f64,
}

/// Better is greater: the higher score, of equal ones the lower index.
impl Ord for Match {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then_with(|| other.index.cmp(&self.index))
    }
}

impl PartialOrd for Match {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Match {}

/// The sum of the products of `a` and `b`, which have the same length. NaN where a number is NaN.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    products(a, b).0
}

/// The cosine of the angle between `a` and `b`, which have the same length: from -1 to 1, 0 where one is all zeros, NaN where a
/// number is not finite.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (both, squares) = products(a, b);
    cosine_of(both, products(a, a).1, squares)
}

/// The `k` rows whose cosine with `query` is highest, best first; of equal ones the first. Rows with a number that is not
/// finite are left out.
pub fn top_k<'a>(query: &[f32], rows: impl Iterator<Item = &'a [f32]>, k: usize) -> Vec<Match> {
    let squares_of_query = products(query, query).1;
    // The worst of those kept is on top. The room grows with the rows, however large k is.
    let mut best = BinaryHeap::new();
    for (index, row) in rows.enumerate() {
        let (both, squares) = products(query, row);
        // Adding zero makes -0 the 0 that it equals.
        let score = cosine_of(both, squares_of_query, squares) + 0.0;
        let found = Match { index, score };
        if score.is_nan() {
            continue;
        }
        if best.len() < k {
            best.push(Reverse(found));
        } else if let Some(mut worst) = best.peek_mut()
            && found > worst.0
        {
            *worst = Reverse(found);
        }
    }
    best.into_sorted_vec().into_iter().map(|Reverse(it)| it).collect()
}

/// Writes `round(x / scale)` for every finite `x` of `vector` into `out` and answers `scale`, which is the largest `|x|`
/// divided by 127.
pub fn quantize_int8(vector: &[f32], out: &mut [i8]) -> f32 {
    let most = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    if most == 0.0 {
        out.fill(0);
        return 0.0;
    }
    for (out, &x) in out.iter_mut().zip(vector) {
        // In f64 nothing that f32 can hold is too small or too large for the product.
        *out = (f64::from(x) * 127.0 / f64::from(most)).round() as i8;
    }
    most / 127.0
}

/// Bytes of a binary vector with `dimension` bits.
#[must_use]
pub fn binary_bytes(dimension: usize) -> usize {
    dimension.div_ceil(BITS)
}

/// Writes one bit a number of `vector` into `out`: 1 where it is above zero. The first is the highest bit of the first byte; bits
/// that are left over are 0.
pub fn binarize(vector: &[f32], out: &mut [u8]) {
    for (byte, numbers) in out.iter_mut().zip(vector.chunks(BITS)) {
        *byte = numbers
            .iter()
            .zip((0..BITS).rev())
            .fold(0, |byte, (x, bit)| byte | (u8::from(*x > 0.0) << bit));
    }
}

/// Writes the beginning of `vector` into `out`, scaled to length 1; zeros stay zeros.
pub fn truncate(vector: &[f32], out: &mut [f32]) {
    let squares: f64 = vector.iter().take(out.len()).map(|&x| f64::from(x).powi(2)).sum();
    let scale = if squares > 0.0 {
        squares.sqrt().recip()
    } else {
        0.0
    };
    for (out, &x) in out.iter_mut().zip(vector) {
        *out = (f64::from(x) * scale) as f32;
    }
}

/// `(a · b, b · b)`.
fn products(a: &[f32], b: &[f32]) -> (f64, f64) {
    let (both, squares) = similarity::products(a, b);
    if both.is_finite() && TRUSTED.contains(&squares) {
        return (f64::from(both), f64::from(squares));
    }
    a.iter().zip(b).fold((0.0, 0.0), |(both, squares), (&x, &y)| {
        let (x, y) = (f64::from(x), f64::from(y));
        (both + x * y, squares + y * y)
    })
}

fn cosine_of(both: f64, squares_of_a: f64, squares_of_b: f64) -> f64 {
    let lengths = squares_of_a.sqrt() * squares_of_b.sqrt();
    if lengths == 0.0 {
        0.0
    } else {
        (both / lengths).clamp(-1.0, 1.0)
    }
}
