//! What is done to whole rows of hidden states: residual and layer normalisation, and the sum of a token's table rows.

use super::Task;
use super::simd::{LANES, Simd, fold};

/// Scale, shift and epsilon of a layer normalisation.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// `[hidden]`.
    pub gamma: &'a [f32],
    /// `[hidden]`.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

/// `out = normalise(out + residual)`, row by row.
pub struct AddAndNormalize<'a> {
    /// `[rows, hidden]`.
    pub out: &'a mut [f32],
    /// `[rows, hidden]`.
    pub residual: &'a [f32],
    /// Its length is the length of a row; a multiple of sixteen.
    pub norm: Norm<'a>,
}

impl Task for AddAndNormalize<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        debug_assert_eq!(self.out.len(), self.residual.len());
        let hidden = self.norm.gamma.len();
        let some = TOGETHER * hidden;
        for (out, residual) in self.out.chunks_mut(some).zip(self.residual.chunks(some)) {
            for i in (0..out.len()).step_by(LANES) {
                // SAFETY: both have as many elements, a multiple of sixteen; what is asked for need not exist.
                unsafe {
                    let (to, residual) = (out.as_mut_ptr().add(i), residual.as_ptr().add(i));
                    S::prefetch(residual.wrapping_add(2 * hidden).cast());
                    S::prefetch(to.wrapping_add(2 * hidden).cast());
                    S::store(to, S::add(S::load(to), S::load(residual)));
                }
            }
            // SAFETY: the contract of Norm.
            unsafe { normalize::<S>(out, self.norm) };
        }
    }
}

/// Rows that are normalised together: few enough for the first-level cache.
const TOGETHER: usize = 8;

/// Normalises up to [`TOGETHER`] rows in place, each step for all of them before the next one: then no row waits for what it
/// is folded to.
#[inline(always)]
unsafe fn normalize<S: Simd>(rows: &mut [f32], norm: Norm) {
    let hidden = norm.gamma.len();
    // SAFETY: as the caller's.
    let mean_of = |sums| unsafe { fold::<S>(sums, |a, b| a + b) } / hidden as f32;
    // SAFETY: every row, gamma and beta have the same length, a multiple of sixteen.
    unsafe {
        let mut sums = [S::splat(0.0); TOGETHER];
        for (row, to) in rows.chunks_exact(hidden).zip(&mut sums) {
            let mut sum = S::splat(0.0);
            for i in (0..hidden).step_by(LANES) {
                sum = S::add(sum, S::load(row.as_ptr().add(i)));
            }
            *to = sum;
        }
        let means = sums.map(mean_of);
        let mut squares = [S::splat(0.0); TOGETHER];
        for ((row, mean), squares) in rows.chunks_exact(hidden).zip(means).zip(&mut squares) {
            let mut sum = S::splat(0.0);
            for i in (0..hidden).step_by(LANES) {
                let centred = S::sub(S::load(row.as_ptr().add(i)), S::splat(mean));
                sum = S::mul_add(centred, centred, sum);
            }
            *squares = sum;
        }
        let inverses = squares.map(|squares| 1.0 / (mean_of(squares) + norm.epsilon).sqrt());
        for ((row, mean), inverse) in rows.chunks_exact_mut(hidden).zip(means).zip(inverses) {
            for i in (0..hidden).step_by(LANES) {
                let x = row.as_mut_ptr().add(i);
                let centred = S::mul(S::sub(S::load(x), S::splat(mean)), S::splat(inverse));
                let scaled = S::mul_add(
                    centred,
                    S::load(norm.gamma.as_ptr().add(i)),
                    S::load(norm.beta.as_ptr().add(i)),
                );
                S::store(x, scaled);
            }
        }
    }
}

/// A row of a table of `f32` that is added to a token's row.
#[derive(Debug, Clone, Copy)]
pub struct Addend<'a> {
    /// One id per token, or fewer that repeat (positions that are the same for each text).
    pub ids: &'a [i64],
    /// `[rows, hidden]`.
    pub table: &'a [f32],
}

/// The token table: `[vocabulary, hidden]`.
#[derive(Debug, Clone, Copy)]
pub enum Table<'a> {
    /// As it was published.
    Floats(&'a [f32]),
    /// Bytes, and `[vocabulary, 2]`: scale and minimum of each row.
    Bytes(&'a [u8], &'a [f32]),
}

impl Table<'_> {
    #[inline(always)]
    unsafe fn read<S: Simd>(&self, id: usize, out: &mut [f32]) {
        let hidden = out.len();
        match self {
            Self::Floats(table) => out.copy_from_slice(&table[id * hidden..][..hidden]),
            Self::Bytes(table, ranges) => {
                let row = &table[id * hidden..][..hidden];
                // SAFETY: every row has `hidden` elements, a multiple of sixteen.
                unsafe {
                    let (scale, minimum) = (S::splat(ranges[2 * id]), S::splat(ranges[2 * id + 1]));
                    for i in (0..hidden).step_by(LANES) {
                        let values = S::load_bytes(row.as_ptr().add(i));
                        S::store(out.as_mut_ptr().add(i), S::mul_add(values, scale, minimum));
                    }
                }
            }
        }
    }
}

/// Sums the rows of each token's tables and normalises the sum.
pub struct Embed<'a> {
    /// One id per token, each checked against the table.
    pub ids: &'a [i64],
    /// The token table.
    pub table: Table<'a>,
    /// Positions and types, each id checked against its table.
    pub addends: &'a [Addend<'a>],
    /// What follows.
    pub norm: Norm<'a>,
    /// `[tokens, hidden]`.
    pub out: &'a mut [f32],
    /// Number of the first token, for addends that repeat.
    pub first: usize,
}

impl Task for Embed<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let hidden = self.norm.gamma.len();
        for (some, (out, ids)) in self
            .out
            .chunks_mut(TOGETHER * hidden)
            .zip(self.ids.chunks(TOGETHER))
            .enumerate()
        {
            for (t, (out, &id)) in out.chunks_exact_mut(hidden).zip(ids).enumerate() {
                let token = self.first + some * TOGETHER + t;
                // SAFETY: every row has `hidden` elements, a multiple of sixteen.
                unsafe { self.table.read::<S>(id as usize, out) };
                for addend in self.addends {
                    let id = addend.ids[token % addend.ids.len()] as usize;
                    let row = &addend.table[id * hidden..][..hidden];
                    for i in (0..hidden).step_by(LANES) {
                        // SAFETY: as above.
                        unsafe {
                            let sum = S::add(S::load(out.as_ptr().add(i)), S::load(row.as_ptr().add(i)));
                            S::store(out.as_mut_ptr().add(i), sum);
                        }
                    }
                }
            }
            // SAFETY: as above.
            unsafe { normalize::<S>(out, self.norm) };
        }
    }
}
