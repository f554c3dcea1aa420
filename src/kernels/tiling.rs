//! How a product is cut into tiles of its result, the loop over one of them, and what it asks for ahead.
//!
//! Both products go the same way: sixteen columns of weights, a block, lie after each other in lines of 64 bytes, and a
//! step multiplies a line of each block of a tile with a few bytes of each of its rows.

use std::ops::Range;

use super::simd::{LANES, Simd};

/// Bytes of weights that a step of a product reads of a block: sixteen numbers, or sixteen times four bytes.
pub const LINE: usize = LANES * size_of::<f32>();

/// What is multiplied, as the loops read it.
#[derive(Debug, Clone, Copy)]
pub struct Sides {
    /// How many rows.
    pub rows: usize,
    /// The first row.
    pub x: *const u8,
    /// Bytes from one row to the next.
    pub row: usize,
    /// Bytes of a row that a step reads.
    pub x_step: usize,
    /// The first block; the next one is `steps` lines further.
    pub weights: *const u8,
    /// Steps from the first to the last column of the input.
    pub steps: usize,
    /// After how many steps the other rows come first, at least one: few enough for the second-level cache.
    pub depth: usize,
}

/// What the loop over a tile reads.
#[derive(Debug)]
pub struct Strips {
    /// The first row.
    pub x: *const u8,
    /// Bytes from one row to the next.
    pub row: usize,
    /// Bytes of a row that a step reads.
    pub x_step: usize,
    /// The first block.
    pub weights: *const u8,
    /// Bytes from one block to the next.
    pub block: usize,
    /// Which of the product's steps.
    pub steps: Range<usize>,
    /// Where the weights are that this tile asks for: its share of those that come next.
    pub ahead: *const u8,
    /// Bytes that `ahead` goes on in a step.
    pub ahead_step: usize,
}

/// A product that is computed tile by tile.
pub trait Tiled {
    /// Computes `ROWS` rows from `row` on of `BLOCKS` blocks from `block` on, or adds the products of these steps to them.
    ///
    /// # Safety
    /// They exist, and `strips` are theirs.
    unsafe fn tile<S: Simd, const ROWS: usize, const BLOCKS: usize>(
        &self,
        row: usize,
        block: usize,
        strips: Strips,
    );
}

impl Sides {
    /// Computes all rows of `blocks`.
    ///
    /// # Safety
    /// As [`Task::run`](super::Task::run); `self` describes the sides of `product`, and it has the blocks.
    #[inline(always)]
    pub unsafe fn multiply<S: Simd>(&self, blocks: Range<usize>, product: &impl Tiled) {
        let mut block = blocks.start;
        while block < blocks.end {
            // SAFETY: the caller's promises.
            unsafe {
                if S::TILE_BLOCKS == 4 && blocks.end - block >= 4 {
                    self.column_of_tiles::<S, 4>(block, product);
                    block += 4;
                } else if S::TILE_BLOCKS == 4 && blocks.end - block >= 2 {
                    self.column_of_tiles::<S, 2>(block, product);
                    block += 2;
                } else {
                    self.column_of_tiles::<S, 1>(block, product);
                    block += 1;
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn column_of_tiles<S: Simd, const BLOCKS: usize>(&self, block: usize, product: &impl Tiled) {
        const { assert!(matches!(S::TILE_ROWS, 4 | 6), "no other heights below") };
        for from in (0..self.steps).step_by(self.depth) {
            let steps = from..(from + self.depth).min(self.steps);
            let mut row = 0;
            while row < self.rows {
                let left = self.rows - row;
                // Seven rows are better cut 4 + 3 than 6 + 1: the weights are loaded for few rows as for many.
                let height = if left > S::TILE_ROWS && left < 2 * S::TILE_ROWS {
                    left.div_ceil(2)
                } else {
                    left.min(S::TILE_ROWS)
                };
                // SAFETY: row + height <= rows.
                unsafe {
                    let strips = self.strips::<BLOCKS>(row, height, block, steps.clone());
                    match height {
                        1 => product.tile::<S, 1, BLOCKS>(row, block, strips),
                        2 => product.tile::<S, 2, BLOCKS>(row, block, strips),
                        3 => product.tile::<S, 3, BLOCKS>(row, block, strips),
                        4 => product.tile::<S, 4, BLOCKS>(row, block, strips),
                        5 if S::TILE_ROWS > 4 => product.tile::<S, 5, BLOCKS>(row, block, strips),
                        _ if S::TILE_ROWS > 4 => product.tile::<S, 6, BLOCKS>(row, block, strips),
                        _ => {}
                    }
                }
                row += height;
            }
        }
    }

    /// Each tile asks for a share of the weights that come next, a little in each step: the first tile over them need not
    /// wait, and no step waits for many requests at once.
    #[inline(always)]
    unsafe fn strips<const BLOCKS: usize>(
        &self,
        row: usize,
        height: usize,
        block: usize,
        steps: Range<usize>,
    ) -> Strips {
        let (next_block, next_step) = if steps.end < self.steps {
            (block, steps.end)
        } else {
            (block + BLOCKS, 0)
        };
        // Lines are counted along one block, then the next.
        let line = BLOCKS * steps.len() * row / self.rows;
        let (next_block, next_step) = (next_block + line / steps.len(), next_step + line % steps.len());
        // SAFETY: the row and the block exist; what is asked for need not.
        unsafe {
            Strips {
                x: self.x.add(row * self.row + steps.start * self.x_step),
                row: self.row,
                x_step: self.x_step,
                weights: self.weights.add((block * self.steps + steps.start) * LINE),
                block: self.steps * LINE,
                steps,
                ahead: self
                    .weights
                    .wrapping_add((next_block * self.steps + next_step) * LINE),
                ahead_step: (BLOCKS * LINE * height).div_ceil(self.rows).min(LINE),
            }
        }
    }
}

impl Strips {
    /// Adds to the sums of a tile the products of all steps: `load` gets the weights of a line, and `add` adds to sixteen sums
    /// their products with the bytes of a row.
    ///
    /// # Safety
    /// As [`Simd`].
    #[inline(always)]
    pub unsafe fn add_products<S: Simd, Sums: Copy, Weights: Copy, const ROWS: usize, const BLOCKS: usize>(
        &self,
        sums: &mut [[Sums; BLOCKS]; ROWS],
        load: impl Fn(*const u8) -> Weights,
        add: impl Fn(Sums, *const u8, Weights) -> Sums,
    ) {
        let Self {
            mut x,
            mut weights,
            mut ahead,
            ..
        } = *self;
        for _ in self.steps.clone() {
            // SAFETY: there is a line in each block for each step, and as many bytes in each row.
            unsafe {
                let line: [_; BLOCKS] = std::array::from_fn(|b| load(weights.add(b * self.block)));
                for r in 0..ROWS {
                    for b in 0..BLOCKS {
                        sums[r][b] = add(sums[r][b], x.add(r * self.row), line[b]);
                    }
                }
                S::prefetch(ahead);
                x = x.wrapping_add(self.x_step);
                weights = weights.wrapping_add(LINE);
                ahead = ahead.wrapping_add(self.ahead_step);
            }
        }
    }

    /// [`add_products`](Self::add_products) of `f32`, a column of the input a step.
    ///
    /// # Safety
    /// As [`Simd`].
    #[inline(always)]
    pub unsafe fn add_floats<S: Simd, const ROWS: usize, const BLOCKS: usize>(
        &self,
        sums: &mut [[S::Floats; BLOCKS]; ROWS],
    ) {
        // SAFETY: the caller's promises.
        unsafe {
            self.add_products::<S, _, _, ROWS, BLOCKS>(
                sums,
                |line| S::load(line.cast()),
                |sum, x, weights| S::mul_add(S::splat(*x.cast()), weights, sum),
            );
        }
    }
}
