//! The `f32` product: rows of activations as they are, times weights laid out once.
//!
//! Layout of the weights, in the file and in memory, on every CPU: `[n / 16][k][16]`, sixteen columns beside each other,
//! so that a tile of the result reads both sides from front to back.

use std::collections::TryReserveError;

use super::simd::{LANES, Simd, gelu};
use super::tiling::{Sides, Strips, Tiled};
use super::{Isa, Task};

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

/// Columns of the input after which the other rows come first: 192 KB of weights, in the second-level cache.
const DEPTH: usize = 768;

/// Makes room on this thread for what a product of so many rows of `k` columns needs beside its result. Without it, a result
/// may be rounded in another way.
///
/// # Errors
/// Where there is no memory.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_variables, reason = "only tiles need such room")
)]
pub fn reserve(isa: Isa, rows: usize, k: usize) -> Result<(), TryReserveError> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Amx => super::tiles::floats::reserve(rows, k),
        _ => Ok(()),
    }
}

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
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn run_on_tiles(mut self) {
        // SAFETY: the caller's promises.
        unsafe {
            self.blocks.start = super::tiles::floats::multiply(&self);
            self.run::<super::x86::Avx512>();
        }
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let k = self.weights.k;
        let sides = Sides {
            rows: self.x.len() / k,
            x: self.x.as_ptr().cast(),
            row: k * size_of::<f32>(),
            x_step: size_of::<f32>(),
            weights: self.weights.values.as_ptr().cast(),
            steps: k,
            depth: DEPTH,
        };
        // SAFETY: is_consistent says that the lengths fit.
        unsafe { sides.multiply::<S>(self.blocks.clone(), &self) };
    }
}

impl Tiled for Multiply<'_> {
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const BLOCKS: usize>(
        &self,
        row: usize,
        block: usize,
        strips: Strips,
    ) {
        let Weights { k, n, .. } = self.weights;
        // SAFETY: row + ROWS and block + BLOCKS are within bounds; is_consistent says that the lengths fit.
        unsafe {
            let out = self.out.add(row * n + block * LANES);
            let mut sums = [[S::splat(0.0); BLOCKS]; ROWS];
            for r in 0..ROWS {
                for b in 0..BLOCKS {
                    sums[r][b] = S::load(if strips.steps.start == 0 {
                        self.weights.bias.as_ptr().add((block + b) * LANES)
                    } else {
                        out.add(r * n + b * LANES).cast_const()
                    });
                }
            }
            strips.add_floats::<S, ROWS, BLOCKS>(&mut sums);
            for r in 0..ROWS {
                for b in 0..BLOCKS {
                    let mut y = sums[r][b];
                    if self.gelu && strips.steps.end == k {
                        y = gelu::<S>(y);
                    }
                    S::store(out.add(r * n + b * LANES), y);
                }
            }
        }
    }
}
