//! Attention of one head over one text, in `f32`: scores, softmax and weighted sum without a transposed copy of the input.

use std::collections::TryReserveError;

use super::Task;
use super::simd::{LANES, Simd, exp, fold};

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
    /// `[tokens / 16][head_size][16]`.
    keys: Vec<f32>,
    /// `[6][tokens rounded up to 16]`.
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
        grow(&mut self.scores, ROWS * padded)
    }
}

/// One head of one text.
///
/// # Safety
/// `query`, `key` and `value` point to the head's first element of the first token, rows are `stride` apart; `out` likewise
/// with `out_stride`, and nobody else touches the head's columns. `head_size` is a multiple of sixteen, at most 128. Each
/// bias has `tokens` values in its last row.
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

const ROWS: usize = 6;

impl Task for Attend<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        // SAFETY: the contract of Attend.
        unsafe {
            self.transpose_keys();
            let mut row = 0;
            while row < self.tokens {
                let left = self.tokens - row;
                match left {
                    1 => self.rows::<S, 1>(row),
                    2..=3 => self.rows::<S, 2>(row),
                    4..=5 => self.rows::<S, 4>(row),
                    _ => self.rows::<S, ROWS>(row),
                }
                row += match left {
                    1 => 1,
                    2..=3 => 2,
                    4..=5 => 4,
                    _ => ROWS,
                };
            }
        }
    }
}

impl Attend<'_> {
    /// Writes the keys so that sixteen neighbours of one dimension lie together; the rest of the last sixteen is 0.
    #[inline(always)]
    unsafe fn transpose_keys(&mut self) {
        let blocks = self.tokens.div_ceil(LANES);
        let padded = blocks * LANES;
        self.scratch.keys.resize(padded * self.head_size, 0.0);
        self.scratch.scores.resize(ROWS * padded, 0.0);
        for token in 0..padded {
            let to = &mut self.scratch.keys[token / LANES * LANES * self.head_size + token % LANES..];
            for d in 0..self.head_size {
                to[d * LANES] = if token < self.tokens {
                    // SAFETY: tokens and head_size bound the keys.
                    unsafe { *self.key.add(token * self.stride + d) }
                } else {
                    0.0
                };
            }
        }
    }

    #[inline(always)]
    unsafe fn rows<S: Simd, const ROWS: usize>(&mut self, row: usize) {
        let padded = self.tokens.div_ceil(LANES) * LANES;
        let scores = self.scratch.scores.as_mut_ptr();
        let mut sums = [0.0_f32; ROWS];
        // SAFETY: the scratch has six rows of scores and every key; ROWS rows are left.
        unsafe {
            let left = Matrix {
                from: self.query.add(row * self.stride),
                stride: self.stride,
            };
            let right = Panels {
                from: self.scratch.keys.as_ptr(),
                step: LANES,
                block: LANES * self.head_size,
            };
            product::<S, ROWS>(left, right, self.head_size, padded / LANES, scores, padded);
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = self.softmax::<S>(scores.add(r * padded), row + r);
            }
            let left = Matrix {
                from: scores.cast_const(),
                stride: padded,
            };
            let right = Panels {
                from: self.value,
                step: self.stride,
                block: LANES,
            };
            let out = self.out.add(row * self.out_stride);
            product::<S, ROWS>(
                left,
                right,
                self.tokens,
                self.head_size / LANES,
                out,
                self.out_stride,
            );
            for (r, sum) in sums.iter().enumerate() {
                let inverse = S::splat(1.0 / sum);
                for d in (0..self.head_size).step_by(LANES) {
                    let to = out.add(r * self.out_stride + d);
                    S::store(to, S::mul(S::load(to), inverse));
                }
            }
        }
    }

    /// Turns scores into weights that are still to be divided by their sum, which it answers.
    #[inline(always)]
    unsafe fn softmax<S: Simd>(&self, scores: *mut f32, row: usize) -> f32 {
        let whole = self.tokens / LANES * LANES;
        // SAFETY: `scores` has the tokens rounded up to sixteen; the biases have `tokens` values from `row * stride` on.
        unsafe {
            let mut highest = S::splat(f32::MIN);
            for i in (0..whole).step_by(LANES) {
                let mut score = S::mul(S::load(scores.add(i)), S::splat(self.scale));
                for bias in self.biases {
                    score = S::add(score, S::load(bias.values.as_ptr().add(row * bias.stride + i)));
                }
                S::store(scores.add(i), score);
                highest = S::max(highest, score);
            }
            if whole < self.tokens {
                let mut last = [f32::MIN; LANES];
                for (i, last) in (whole..self.tokens).zip(&mut last) {
                    let mut score = *scores.add(i) * self.scale;
                    for bias in self.biases {
                        score += *bias.values.as_ptr().add(row * bias.stride + i);
                    }
                    *last = score;
                }
                let score = S::load(last.as_ptr());
                S::store(scores.add(whole), score);
                highest = S::max(highest, score);
            }
            let highest = S::splat(fold::<S>(highest, f32::max));
            let mut sum = S::splat(0.0);
            for i in (0..self.tokens).step_by(LANES) {
                let weight = exp::<S>(S::sub(S::load(scores.add(i)), highest));
                S::store(scores.add(i), weight);
                sum = S::add(sum, weight);
            }
            fold::<S>(sum, |a, b| a + b)
        }
    }
}

/// Rows of the left side.
#[derive(Clone, Copy)]
struct Matrix {
    from: *const f32,
    stride: usize,
}

/// The right side: sixteen columns of one row lie together, the next row is `step` further, the next sixteen `block`.
#[derive(Clone, Copy)]
struct Panels {
    from: *const f32,
    step: usize,
    block: usize,
}

/// `out[ROWS][16 * blocks] = left[ROWS][depth] * right[depth][16 * blocks]`.
#[inline(always)]
unsafe fn product<S: Simd, const ROWS: usize>(
    left: Matrix,
    right: Panels,
    depth: usize,
    blocks: usize,
    out: *mut f32,
    stride: usize,
) {
    let mut block = 0;
    while block < blocks {
        // SAFETY: blocks bound the right side and the output.
        unsafe {
            let from = Panels {
                from: right.from.add(block * right.block),
                ..right
            };
            let to = out.add(block * LANES);
            if S::TILE_BLOCKS == 4 && blocks - block >= 4 {
                tile::<S, ROWS, 4>(left, from, depth, to, stride);
                block += 4;
            } else if S::TILE_BLOCKS == 4 && blocks - block >= 2 {
                tile::<S, ROWS, 2>(left, from, depth, to, stride);
                block += 2;
            } else {
                tile::<S, ROWS, 1>(left, from, depth, to, stride);
                block += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn tile<S: Simd, const ROWS: usize, const BLOCKS: usize>(
    left: Matrix,
    right: Panels,
    depth: usize,
    out: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's bounds.
    unsafe {
        let mut sums = [[S::splat(0.0); BLOCKS]; ROWS];
        for k in 0..depth {
            let row: [_; BLOCKS] =
                std::array::from_fn(|b| S::load(right.from.add(k * right.step + b * right.block)));
            for r in 0..ROWS {
                let x = S::splat(*left.from.add(r * left.stride + k));
                for b in 0..BLOCKS {
                    sums[r][b] = S::mul_add(x, row[b], sums[r][b]);
                }
            }
        }
        for r in 0..ROWS {
            for b in 0..BLOCKS {
                S::store(out.add(r * stride + b * LANES), sums[r][b]);
            }
        }
    }
}
