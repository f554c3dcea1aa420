//! Attention of one head over one text, in `f32`: two products with a softmax between them.
//!
//! Rows of the input are thousands of bytes apart and would share a few sets of the first-level cache, so keys and values
//! are copied first, to lie as the weights of a product do.

use std::collections::TryReserveError;

use super::Task;
use super::simd::{LANES, Simd, exp, fold};
use super::tiling::{Sides, Strips, Tiled};

/// A tensor that is added to the scores: a mask, a relative position bias.
#[derive(Debug, Clone, Copy)]
pub struct Bias<'a> {
    /// From the first element of this text and head.
    pub values: &'a [f32],
    /// Elements from one query to the next; 0 where all queries share a row.
    pub stride: usize,
}

/// Memory of one head's work. Kept and reused.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[tokens / 16][head_size][16]`, the last sixteen filled up.
    keys: Vec<f32>,
    /// `[head_size / 16][tokens][16]`.
    values: Vec<f32>,
    /// `[up to ROWS][tokens rounded up to 16]`.
    scores: Vec<f32>,
}

impl Scratch {
    /// Asks for the memory of a text of `tokens`, which is grown into without failing.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve(&mut self, tokens: usize, head_size: usize) -> Result<(), TryReserveError> {
        let padded = tokens.next_multiple_of(LANES);
        let grow = |part: &mut Vec<f32>, len: usize| part.try_reserve_exact(len.saturating_sub(part.len()));
        grow(&mut self.keys, padded * head_size)?;
        grow(&mut self.values, tokens * head_size)?;
        grow(&mut self.scores, tokens.min(ROWS) * padded)
    }
}

/// One head of one text.
///
/// # Safety
/// `query`, `key` and `value` point to the head's first element of the first token, rows are `stride` apart; `out` likewise
/// with `out_stride`, and nobody else touches the head's columns. `head_size` is a multiple of sixteen. Each bias has `tokens`
/// values in its last row.
pub struct Attend<'a> {
    pub query: *const f32,
    pub key: *const f32,
    pub value: *const f32,
    pub stride: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    pub tokens: usize,
    pub head_size: usize,
    /// Factor of the scores, before the biases.
    pub scale: f32,
    pub biases: &'a [Bias<'a>],
    pub scratch: &'a mut Scratch,
}

/// Queries at a time: their scores stay in the second-level cache, and those of a long text need not all be there at once.
const ROWS: usize = 96;

impl Task for Attend<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        // SAFETY: the contract of Attend.
        unsafe {
            self.copy_keys::<S>();
            self.copy_values::<S>();
            let padded = self.tokens.next_multiple_of(LANES);
            self.scratch.scores.resize(self.tokens.min(ROWS) * padded, 0.0);
            for row in (0..self.tokens).step_by(ROWS) {
                self.rows::<S>(row, ROWS.min(self.tokens - row));
            }
        }
    }
}

impl Attend<'_> {
    /// Writes the keys so that sixteen neighbours of one dimension lie together; the last token fills up the last sixteen.
    #[inline(always)]
    unsafe fn copy_keys<S: Simd>(&mut self) {
        let padded = self.tokens.next_multiple_of(LANES);
        self.scratch.keys.resize(padded * self.head_size, 0.0);
        let to = self.scratch.keys.as_mut_ptr();
        for token in (0..padded).step_by(LANES) {
            // SAFETY: tokens and head_size, a multiple of sixteen, bound the keys and the copy.
            unsafe {
                let keys: [_; LANES] = std::array::from_fn(|i| {
                    self.ask_for::<S>(self.key, token + i + LANES);
                    self.ask_for::<S>(self.value, token + i);
                    self.key.add((token + i).min(self.tokens - 1) * self.stride)
                });
                for d in (0..self.head_size).step_by(4) {
                    let columns = S::load_columns(keys.map(|key| key.add(d)));
                    for (i, column) in columns.into_iter().enumerate() {
                        S::store(to.add(token * self.head_size + (d + i) * LANES), column);
                    }
                }
            }
        }
    }

    /// Writes the values so that sixteen dimensions of neighbouring tokens lie together.
    #[inline(always)]
    unsafe fn copy_values<S: Simd>(&mut self) {
        self.scratch.values.resize(self.tokens * self.head_size, 0.0);
        let to = self.scratch.values.as_mut_ptr();
        for token in 0..self.tokens {
            // SAFETY: tokens and head_size bound the values and the copy.
            unsafe {
                self.ask_for::<S>(self.query, token);
                for d in (0..self.head_size).step_by(LANES) {
                    let value = S::load(self.value.add(token * self.stride + d));
                    S::store(to.add(d * self.tokens + token * LANES), value);
                }
            }
        }
    }

    /// Asks for a token of `part` that the next pass reads: it is too far away for the CPU to see that it will be.
    #[inline(always)]
    unsafe fn ask_for<S: Simd>(&self, part: *const f32, token: usize) {
        for d in (0..self.head_size).step_by(LANES) {
            // SAFETY: what is asked for need not exist.
            unsafe { S::prefetch(part.wrapping_add(token * self.stride + d).cast()) };
        }
    }

    /// Attention of `count` queries from `row` on.
    #[inline(always)]
    unsafe fn rows<S: Simd>(&mut self, row: usize, count: usize) {
        let padded = self.tokens.next_multiple_of(LANES);
        let scores = self.scratch.scores.as_mut_ptr();
        let (mut highest, mut sums) = ([0.0_f32; ROWS], [0.0_f32; ROWS]);
        // SAFETY: the scratch has the scores of `count` rows, every key and every value; the rows are there.
        unsafe {
            let of_keys = Product {
                x: self.query.add(row * self.stride),
                x_stride: self.stride,
                depth: self.head_size,
                right: self.scratch.keys.as_ptr(),
                out: scores,
                out_stride: padded,
            };
            of_keys.run::<S>(count, padded / LANES);
            // One after the other for all rows: then no row waits for what it is folded to.
            for (r, highest) in highest.iter_mut().take(count).enumerate() {
                *highest = self.scale_and_bias::<S>(scores.add(r * padded), row + r);
            }
            for (r, sum) in sums.iter_mut().take(count).enumerate() {
                *sum = self.exponentials::<S>(scores.add(r * padded), highest[r]);
            }
            let out = self.out.add(row * self.out_stride);
            let of_values = Product {
                x: scores,
                x_stride: padded,
                depth: self.tokens,
                right: self.scratch.values.as_ptr(),
                out,
                out_stride: self.out_stride,
            };
            of_values.run::<S>(count, self.head_size / LANES);
            for (r, sum) in sums.iter().take(count).enumerate() {
                let inverse = S::splat(1.0 / sum);
                for d in (0..self.head_size).step_by(LANES) {
                    let to = out.add(r * self.out_stride + d);
                    S::store(to, S::mul(S::load(to), inverse));
                }
            }
        }
    }

    /// Scales the scores of a row and adds its biases; answers the highest. What fills up the last sixteen gets the lowest.
    #[inline(always)]
    unsafe fn scale_and_bias<S: Simd>(&self, scores: *mut f32, row: usize) -> f32 {
        let whole = self.tokens / LANES * LANES;
        let there = self.tokens - whole;
        // SAFETY: `scores` has the tokens rounded up to sixteen; the biases have `tokens` values from `row * stride` on.
        unsafe {
            let mut highest = S::splat(f32::MIN);
            for i in (0..whole).step_by(LANES) {
                let score = self.scaled_and_biased::<S>(scores, row, i, |bias| S::load(bias));
                S::store(scores.add(i), score);
                highest = S::max(highest, score);
            }
            if there > 0 {
                let score =
                    self.scaled_and_biased::<S>(scores, row, whole, |bias| load_first::<S>(bias, there));
                let score = S::min(S::load(LIMITS.as_ptr().add(LANES - there)), score);
                S::store(scores.add(whole), score);
                highest = S::max(highest, score);
            }
            fold::<S>(highest, f32::max)
        }
    }

    /// Sixteen scores of a row, from the `i`th on, scaled and with their biases as `load` reads them.
    #[inline(always)]
    unsafe fn scaled_and_biased<S: Simd>(
        &self,
        scores: *const f32,
        row: usize,
        i: usize,
        load: impl Fn(*const f32) -> S::Floats,
    ) -> S::Floats {
        // SAFETY: the caller's bounds.
        unsafe {
            let mut score = S::mul(S::load(scores.add(i)), S::splat(self.scale));
            for bias in self.biases {
                score = S::add(score, load(bias.values.as_ptr().add(row * bias.stride + i)));
            }
            score
        }
    }

    /// Turns the scores of a row into weights that are still to be divided by their sum, which it answers.
    #[inline(always)]
    unsafe fn exponentials<S: Simd>(&self, scores: *mut f32, highest: f32) -> f32 {
        // SAFETY: `scores` has the tokens rounded up to sixteen.
        unsafe {
            let mut sum = S::splat(0.0);
            for i in (0..self.tokens).step_by(LANES) {
                let weight = exp::<S>(S::sub(S::load(scores.add(i)), S::splat(highest)));
                S::store(scores.add(i), weight);
                sum = S::add(sum, weight);
            }
            fold::<S>(sum, |a, b| a + b)
        }
    }
}

/// From the element on that is as far from the middle as numbers are there: what lets them pass and lowers all after them.
const LIMITS: [f32; 2 * LANES] = {
    let mut limits = [f32::INFINITY; 2 * LANES];
    let (_, after) = limits.split_at_mut(LANES);
    let mut i = 0;
    while i < LANES {
        after[i] = f32::MIN;
        i += 1;
    }
    limits
};

/// The first `there` of sixteen numbers, with 0 after them.
#[inline(always)]
unsafe fn load_first<S: Simd>(from: *const f32, there: usize) -> S::Floats {
    let mut values = [0.0; LANES];
    // SAFETY: the caller's pointer has so many.
    unsafe {
        from.copy_to_nonoverlapping(values.as_mut_ptr(), there);
        S::load(values.as_ptr())
    }
}

/// A product without bias.
struct Product {
    x: *const f32,
    x_stride: usize,
    /// Columns of `x`.
    depth: usize,
    /// `[blocks][depth][16]`.
    right: *const f32,
    out: *mut f32,
    out_stride: usize,
}

impl Product {
    #[inline(always)]
    unsafe fn run<S: Simd>(self, rows: usize, blocks: usize) {
        let sides = Sides {
            rows,
            x: self.x.cast(),
            row: self.x_stride * size_of::<f32>(),
            x_step: size_of::<f32>(),
            weights: self.right.cast(),
            steps: self.depth,
            depth: self.depth,
        };
        // SAFETY: the caller's bounds.
        unsafe { sides.multiply::<S>(0..blocks, &self) };
    }
}

impl Tiled for Product {
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const BLOCKS: usize>(
        &self,
        row: usize,
        block: usize,
        strips: Strips,
    ) {
        // SAFETY: the caller's bounds.
        unsafe {
            let mut sums = [[S::splat(0.0); BLOCKS]; ROWS];
            strips.add_floats::<S, ROWS, BLOCKS>(&mut sums);
            for r in 0..ROWS {
                for b in 0..BLOCKS {
                    S::store(
                        self.out.add((row + r) * self.out_stride + (block + b) * LANES),
                        sums[r][b],
                    );
                }
            }
        }
    }
}
