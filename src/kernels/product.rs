//! The `f32` product: rows of activations as they are, times weights laid out once.
//!
//! Layout of the weights, in the file and in memory, on every CPU: `[n / 16][k][16]`, sixteen columns beside each other,
//! so that a tile of the result reads both sides from front to back.

use super::Task;
use super::simd::{LANES, Simd, gelu};

/// Weights of one product, as they stand in the mapped file.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Columns of the input.
    pub k: usize,
    /// Columns of the output; a multiple of 16.
    pub n: usize,
    /// `[n / 16][k][16]`.
    pub values: &'a [f32],
    /// `[n]`.
    pub bias: &'a [f32],
}

impl Weights<'_> {
    /// Whether every length fits the others, so that the kernels need not check.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.k > 0
            && self.n > 0
            && self.n.is_multiple_of(LANES)
            && self.values.len() == self.k * self.n
            && self.bias.len() == self.n
    }
}

/// Rows of a tile: its sums, the weights and one activation fill the registers of AVX-512, AVX2 and NEON.
const TILE_ROWS: usize = 6;

/// Weights that all rows are multiplied with before the next ones: they stay in the first-level cache.
const PANEL_BYTES: usize = 24 << 10;
/// Fewer rows than this use no weights often enough: they take them as they come, from front to back.
const ROWS_WORTH_PANELS: usize = 48;

/// Multiplies all rows with blocks of columns.
///
/// # Safety
/// `out` points to the first of as many rows of `n` elements as `x` has of `k`, in which nobody else reads or writes the
/// columns of `blocks`.
pub struct Multiply<'a> {
    /// `[rows, k]`.
    pub x: &'a [f32],
    /// The right side.
    pub weights: Weights<'a>,
    /// Which blocks of sixteen columns.
    pub blocks: std::ops::Range<usize>,
    /// Whether the Gaussian error linear unit follows.
    pub gelu: bool,
    /// `[rows, n]`.
    pub out: *mut f32,
}

impl Task for Multiply<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut block = self.blocks.start;
        while block < self.blocks.end {
            // SAFETY: blocks and rows are within the weights and the output.
            unsafe {
                if S::TILE_BLOCKS == 4 && self.blocks.end - block >= 4 {
                    self.column_of_tiles::<S, 4>(block);
                    block += 4;
                } else {
                    self.column_of_tiles::<S, 1>(block);
                    block += 1;
                }
            }
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    unsafe fn column_of_tiles<S: Simd, const BLOCKS: usize>(&self, block: usize) {
        let k = self.weights.k;
        let rows = self.x.len() / k;
        let panels = rows >= ROWS_WORTH_PANELS;
        let depth = if panels {
            PANEL_BYTES / (BLOCKS * LANES * size_of::<f32>())
        } else {
            k
        };
        for from in (0..k).step_by(depth) {
            let depth = from..(from + depth).min(k);
            let mut row = 0;
            while row < rows {
                let left = rows - row;
                // Seven rows are better cut 4 + 3 than 6 + 1: the weights are loaded for few rows as for many.
                let height = if left > TILE_ROWS && left < 2 * TILE_ROWS {
                    left.div_ceil(2)
                } else {
                    left.min(TILE_ROWS)
                };
                // SAFETY: row + height <= rows.
                unsafe {
                    if panels {
                        let share = depth.len() * row / rows..depth.len() * (row + height) / rows;
                        self.ask_for_next_panel::<S, BLOCKS>(block, depth.end, share);
                    }
                    match height {
                        1 => self.tile::<S, 1, BLOCKS>(row, block, depth.clone()),
                        2 => self.tile::<S, 2, BLOCKS>(row, block, depth.clone()),
                        3 => self.tile::<S, 3, BLOCKS>(row, block, depth.clone()),
                        4 => self.tile::<S, 4, BLOCKS>(row, block, depth.clone()),
                        5 => self.tile::<S, 5, BLOCKS>(row, block, depth.clone()),
                        _ => self.tile::<S, 6, BLOCKS>(row, block, depth.clone()),
                    }
                }
                row += height;
            }
        }
    }

    /// Each tile asks for a share of the weights that come next, so that the first tile over them need not wait.
    #[inline(always)]
    unsafe fn ask_for_next_panel<S: Simd, const BLOCKS: usize>(
        &self,
        block: usize,
        end: usize,
        share: std::ops::Range<usize>,
    ) {
        let k = self.weights.k;
        let (block, from) = if end < k {
            (block, end)
        } else {
            (block + BLOCKS, 0)
        };
        for i in share {
            for b in 0..BLOCKS {
                let line = ((block + b) * k + from + i) * LANES;
                // SAFETY: asking reads nothing, wherever it is.
                unsafe { S::prefetch(self.weights.values.as_ptr().wrapping_add(line)) };
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const BLOCKS: usize>(
        &self,
        row: usize,
        block: usize,
        depth: std::ops::Range<usize>,
    ) {
        let Weights { k, n, .. } = self.weights;
        // SAFETY: row + ROWS and block + BLOCKS are within bounds; is_consistent says that the lengths fit.
        unsafe {
            let out = self.out.add(row * n + block * LANES);
            let mut sums = [[S::splat(0.0); BLOCKS]; ROWS];
            for r in 0..ROWS {
                for b in 0..BLOCKS {
                    sums[r][b] = S::load(if depth.start == 0 {
                        self.weights.bias.as_ptr().add((block + b) * LANES)
                    } else {
                        out.add(r * n + b * LANES).cast_const()
                    });
                }
            }
            let x = self.x.as_ptr().add(row * k);
            let w = self.weights.values.as_ptr().add(block * LANES * k);
            for i in depth.clone() {
                let weights: [_; BLOCKS] = std::array::from_fn(|b| S::load(w.add((b * k + i) * LANES)));
                for r in 0..ROWS {
                    let x = S::splat(*x.add(r * k + i));
                    for b in 0..BLOCKS {
                        sums[r][b] = S::mul_add(x, weights[b], sums[r][b]);
                    }
                }
            }
            for r in 0..ROWS {
                for b in 0..BLOCKS {
                    let mut y = sums[r][b];
                    if self.gelu && depth.end == k {
                        y = gelu::<S>(y);
                    }
                    S::store(out.add(r * n + b * LANES), y);
                }
            }
        }
    }
}
