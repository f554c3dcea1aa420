//! An `f32` as the sum of three numbers of eight significant bits (bfloat16), laid out as [tiles](super::floats) read them.
//!
//! An `f32` has 24 significant bits, so that the sum is exact: high is the number rounded to eight, middle what is left rounded to
//! eight, low what is left then.

use std::arch::x86_64::*;
use std::collections::TryReserveError;

use super::SIDE;
use crate::kernels::simd::LANES;

/// Columns of the input that one instruction multiplies: those of a step.
pub const DEPTH: usize = 32;
/// Parts of a number.
const PARTS: usize = 3;

/// A row of a tile. It begins where a line of memory does, so that reading it is reading one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([u16; DEPTH]);

/// Parts of both sides. A thread keeps them.
#[derive(Default)]
pub struct Parts {
    /// `[rows / 16][steps][3][16]`: a line is 32 columns of a row. The tiles at the end have fewer lines.
    pub rows: Vec<Line>,
    /// `[steps + 1][3][2][16]`: a line is two columns of the input, of sixteen of the output. What comes after the last step is
    /// written and never read.
    pub weights: Vec<Line>,
}

/// Lines of a tile's three parts.
pub const LINES_OF_ROWS: usize = PARTS * SIDE;
/// Lines of the three parts of two blocks.
const LINES_OF_WEIGHTS: usize = PARTS * 2 * SIDE;

impl Parts {
    /// Makes room for so many rows, and for as many steps.
    pub fn reserve(&mut self, rows: usize, steps: usize) -> Result<(), TryReserveError> {
        grow(&mut self.rows, rows.div_ceil(SIDE) * steps * LINES_OF_ROWS)?;
        grow(&mut self.weights, (steps + 1) * LINES_OF_WEIGHTS)
    }

    /// Splits some steps of rows of `k` columns.
    ///
    /// # Safety
    /// `x` has the steps, there is room for these, and this is AVX-512.
    #[inline(always)]
    pub unsafe fn split_rows(&mut self, x: &[f32], k: usize, from: usize, steps: usize) {
        // SAFETY: the caller's promises.
        unsafe {
            let odd: [i16; DEPTH] = std::array::from_fn(|i| 2 * i as i16 + 1);
            let odd = _mm512_loadu_si512(odd.as_ptr().cast());
            for (row, x) in x.chunks_exact(k).enumerate() {
                let x = x.as_ptr().add(from * DEPTH);
                let tile = self.rows.as_mut_ptr().add(row / SIDE * steps * LINES_OF_ROWS);
                let to = tile.add(row % SIDE);
                for step in 0..steps {
                    let left = split(_mm512_loadu_ps(x.add(step * DEPTH)));
                    let right = split(_mm512_loadu_ps(x.add(step * DEPTH + LANES)));
                    for part in 0..PARTS {
                        let both = _mm512_permutex2var_epi16(left[part], odd, right[part]);
                        _mm512_store_si512(to.add((step * PARTS + part) * SIDE).cast(), both);
                    }
                }
            }
        }
    }

    /// Splits a step of two blocks, the first one of those that are kept.
    ///
    /// # Safety
    /// Each points to 32 lines of sixteen weights, there is room for a step, and this is AVX-512.
    #[inline(always)]
    pub unsafe fn split_weights(&mut self, blocks: [*const u8; 2]) {
        // SAFETY: the caller's promises.
        unsafe {
            for (b, block) in blocks.into_iter().enumerate() {
                let weights = block.cast::<f32>();
                let to = self.weights.as_mut_ptr().add(b * SIDE);
                for pair in 0..SIDE {
                    let even = split(_mm512_loadu_ps(weights.add(2 * pair * LANES)));
                    let odd = split(_mm512_loadu_ps(weights.add((2 * pair + 1) * LANES)));
                    for part in 0..PARTS {
                        let both = _mm512_or_si512(_mm512_srli_epi32::<16>(even[part]), odd[part]);
                        _mm512_store_si512(to.add(part * 2 * SIDE + pair).cast(), both);
                    }
                }
            }
        }
    }
}

fn grow(lines: &mut Vec<Line>, len: usize) -> Result<(), TryReserveError> {
    lines.try_reserve_exact(len.saturating_sub(lines.len()))?;
    lines.resize(len.max(lines.len()), Line([0; DEPTH]));
    Ok(())
}

/// Three numbers of eight significant bits whose sum is `value`, each in the upper half of its lane.
#[inline(always)]
unsafe fn split(value: __m512) -> [__m512i; PARTS] {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let rounded = |value| {
            let bits = _mm512_add_epi32(_mm512_castps_si512(value), _mm512_set1_epi32(HALF));
            _mm512_and_si512(bits, _mm512_set1_epi32(UPPER))
        };
        let high = rounded(value);
        let rest = _mm512_sub_ps(value, _mm512_castsi512_ps(high));
        let middle = rounded(rest);
        let low = _mm512_sub_ps(rest, _mm512_castsi512_ps(middle));
        [high, middle, _mm512_castps_si512(low)]
    }
}

/// The upper half of an `f32`, by itself one of eight significant bits.
pub const UPPER: i32 = 0xFFFF_0000_u32.cast_signed();
/// Half of the last place of that number, for rounding.
pub const HALF: i32 = 0x8000;
