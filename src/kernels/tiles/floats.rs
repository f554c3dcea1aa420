//! The `f32` product on tiles (AMX-BF16), whose instructions multiply numbers of eight significant bits and add in `f32`.
//!
//! Both sides are sums of three such numbers: [`parts`](super::parts). Of the nine products of parts six are computed. Those left
//! out are together less than half of the last place of the whole product, so the result is as good as that of `f32`
//! instructions, and comes up to twice as fast. The idea: Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial
//! Intelligence Datatype For Higher-Precision Computations", 2019.

use std::cell::RefCell;
use std::collections::TryReserveError;

use super::parts::{DEPTH, LINES_OF_ROWS, Parts};
use super::pass::{Pass, REQUESTS, Splitting};
use super::{Configured, SIDE};
use crate::kernels::product::Multiply;
use crate::kernels::simd::{LANES, Simd, gelu};
use crate::kernels::tiling::LINE;
use crate::kernels::x86::Avx512;

/// Steps after which the other rows come first: the parts of 192 rows, and of two blocks, stay in the second-level cache.
const MAX_STEPS: usize = 768 / DEPTH;

thread_local! {
    static PARTS_OF_THREAD: RefCell<Parts> = RefCell::default();
}

/// Makes room for the parts of so many rows of `k` columns on this thread.
///
/// # Errors
/// Where there is no memory.
pub fn reserve(rows: usize, k: usize) -> Result<(), TryReserveError> {
    PARTS_OF_THREAD.with_borrow_mut(|parts| parts.reserve(rows, (k / DEPTH).min(MAX_STEPS)))
}

/// Does `work` as far as it is whole pairs of blocks; answers from which block on nothing was done. That is all of them
/// where the depth does not suit, or without the room that [`reserve`] makes.
///
/// # Safety
/// As [`Multiply`], where tiles [are available](super::are_available) and AVX-512.
#[inline(always)]
pub unsafe fn multiply(work: &Multiply<'_>) -> usize {
    let k = work.weights.k;
    let rows = work.x.len() / k;
    let blocks = work.blocks.clone();
    let end = blocks.end - blocks.len() % 2;
    let all = k / DEPTH;
    if !k.is_multiple_of(DEPTH) || rows == 0 || end == blocks.start {
        return blocks.start;
    }
    // Taken and put back, as a closure would not have the features of this function.
    let mut parts = PARTS_OF_THREAD.take();
    if parts.reserve(rows, all.min(MAX_STEPS)).is_err() {
        return blocks.start;
    }
    for from in (0..all).step_by(MAX_STEPS) {
        let steps = (all - from).min(MAX_STEPS);
        // SAFETY: there is room for the parts; rows, blocks and steps are within bounds, and tiles exist.
        unsafe {
            parts.split_rows(work.x, k, from, steps);
            for block in (blocks.start..end).step_by(2) {
                let next = if block + 2 < end {
                    (block + 2, from)
                } else {
                    (blocks.start, from + steps)
                };
                let column = Column {
                    work,
                    block,
                    from,
                    steps,
                    next,
                };
                column.multiply(&mut parts);
            }
        }
    }
    PARTS_OF_THREAD.set(parts);
    end
}

/// All rows of two blocks, some steps deep.
struct Column<'a> {
    work: &'a Multiply<'a>,
    block: usize,
    from: usize,
    steps: usize,
    /// The block and step whose weights come next.
    next: (usize, usize),
}

impl Column<'_> {
    #[inline(always)]
    unsafe fn multiply(&self, parts: &mut Parts) {
        let Multiply {
            x,
            weights,
            gelu: with_gelu,
            out,
            ..
        } = *self.work;
        let rows = x.len() / weights.k;
        // SAFETY: the caller has room for the parts, and tiles.
        unsafe {
            // The other steps are split while the first rows are at the step before.
            let second = self.weights(self.block + 1, self.from);
            parts.split_weights([self.weights(self.block, self.from), second]);
            let whole = rows / (2 * SIDE);
            if whole > 0 {
                let _configured = Configured::new(SIDE, SIDE);
                for pair in 0..whole {
                    self.multiply_pair(pair, parts);
                }
            }
            let rest = rows % (2 * SIDE);
            if rest > 0 {
                let upper = rest.min(SIDE);
                let lower = if rest > SIDE { rest - SIDE } else { upper };
                let _configured = Configured::new(upper, lower);
                self.multiply_pair(whole, parts);
            }
            if with_gelu && (self.from + self.steps) * DEPTH == weights.k {
                for row in 0..rows {
                    for b in 0..2 {
                        let y = out.add(row * weights.n + (self.block + b) * LANES);
                        Avx512::store(y, gelu::<Avx512>(Avx512::load(y)));
                    }
                }
            }
        }
    }

    /// Where the weights of a step are.
    fn weights(&self, block: usize, step: usize) -> *const u8 {
        let first = self.work.weights.values.as_ptr().cast::<u8>();
        first.wrapping_add((block * self.work.weights.k + step * DEPTH) * LINE)
    }

    /// Multiplies up to 32 rows. The first ones split the weights as well.
    #[inline(always)]
    unsafe fn multiply_pair(&self, pair: usize, parts: &mut Parts) {
        let Multiply { x, weights, out, .. } = *self.work;
        let rows = x.len() / weights.k;
        let first = pair * 2 * SIDE;
        let has_lower = rows - first > SIDE;
        // All rows together ask for the next weights once.
        let ahead_step = LINE.div_ceil(rows.div_ceil(2 * SIDE));
        let ahead = self.weights(self.next.0, self.next.1);
        // SAFETY: rows and blocks are within bounds, and so are their parts.
        unsafe {
            let x = parts.rows.as_ptr().add(first / SIDE * self.steps * LINES_OF_ROWS);
            let out = out.add(first * weights.n + self.block * LANES);
            let out_stride = weights.n * size_of::<f32>();
            // Where there are no lower rows, the lower tile is the upper one, which is stored later.
            let (lower_x, lower_out) = if has_lower {
                (x.add(self.steps * LINES_OF_ROWS), out.add(SIDE * weights.n))
            } else {
                (x, out)
            };
            // Sums begin with the bias, one row for all, or where the steps before ended.
            let bias = weights.bias.as_ptr().add(self.block * LANES);
            let (sums, lower_sums, sums_stride) = if self.from == 0 {
                (bias, bias, 0)
            } else {
                (out.cast_const(), lower_out.cast_const(), out_stride)
            };
            let pass = Pass {
                sums,
                lower_sums,
                sums_stride,
                x,
                lower_x,
                weights: parts.weights.as_mut_ptr(),
                steps: self.steps,
                source: self.weights(self.block, self.from + 1),
                first: self.weights(self.block, self.from),
                block: weights.k * LINE,
                ahead: ahead.wrapping_add(pair * self.steps * REQUESTS * ahead_step),
                ahead_step,
                out,
                lower_out,
                out_stride,
            };
            let splitting = match pair {
                0 if rows <= 2 * SIDE => Splitting::ForThese,
                0 => Splitting::ForAll,
                _ => Splitting::Done,
            };
            pass.run(has_lower, splitting);
        }
    }
}
