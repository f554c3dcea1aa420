//! The 8-bit product: rows of activations quantised as they come, times weights quantised once.
//!
//! A row x is stored as bytes q with `x = minimum + scale * q`; a column of weights as signed bytes w with one scale. The
//! product of the bytes is exact, so
//! `y = row_scale * column_scale * sum(q * w) + minimum * column_scale * sum(w) + bias`.
//! A few columns of the input, the outliers, would stretch the range of every row: they stay in `f32` on both sides.
//!
//! Layout of the weights, in the file and in memory, on every CPU: `[n / 16][k / 4][16][4]`, sixteen columns of four
//! weights after each other, which is what dot products of four bytes read, and tiles.

use super::Task;
use super::simd::{LANES, Simd, fold, gelu};
use super::tiling::{LINE, Sides, Strips, Tiled};

/// Weights of one product, as they stand in the mapped file.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Columns of the input; a multiple of 16.
    pub k: usize,
    /// Columns of the output; a multiple of 16.
    pub n: usize,
    /// `[n / 16][k / 4][16][4]`.
    pub values: &'a [i8],
    /// `[3][n]`: the scale of each column, that scale times the sum of the column's weights, and the bias.
    pub columns: &'a [f32],
    /// Input columns whose weights are 0 in `values`, ascending.
    pub outliers: &'a [i32],
    /// `[outliers][n]`: the weights of those columns.
    pub outlier_weights: &'a [f32],
}

impl Weights<'_> {
    /// Whether every length fits the others, so that the kernels need not check.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.k > 0
            && self.n > 0
            && self.k.is_multiple_of(LANES)
            && self.n.is_multiple_of(LANES)
            && self.values.len() == self.k * self.n
            && self.columns.len() == 3 * self.n
            && self.outlier_weights.len() == self.outliers.len() * self.n
            && self
                .outliers
                .iter()
                .all(|&column| usize::try_from(column).is_ok_and(|column| column < self.k))
    }
}

/// Rows of activations as bytes. Kept and reused: it only ever grows to the largest block.
#[derive(Debug, Default)]
pub struct QuantizedRows {
    /// In the width that the instruction set reads.
    values: Vec<u8>,
    /// Scale and minimum of each row.
    ranges: Vec<[f32; 2]>,
    /// `[rows][outliers]`.
    outliers: Vec<f32>,
    /// One row without its outliers.
    row: Vec<f32>,
}

impl QuantizedRows {
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// `[rows, k]`, in the width that the instruction set reads.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }
}

/// Quantises `x` `[rows, k]`, leaving out the outliers of the weights that it will be multiplied with.
pub struct Quantize<'a> {
    /// `[rows, k]`.
    pub x: &'a [f32],
    /// The weights to come.
    pub weights: Weights<'a>,
    /// Where to.
    pub to: &'a mut QuantizedRows,
}

impl Task for Quantize<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, weights, to } = self;
        let k = weights.k;
        let rows = x.len() / k;
        let width = k * S::ACTIVATION_BYTES;
        to.values.resize(rows * width, 0);
        to.ranges.resize(rows, [0.0; 2]);
        to.outliers.resize(rows * weights.outliers.len(), 0.0);
        to.row.resize(k, 0.0);
        for (r, x) in x.chunks_exact(k).enumerate() {
            to.row.copy_from_slice(x);
            let outliers = &mut to.outliers[r * weights.outliers.len()..][..weights.outliers.len()];
            for (&column, outlier) in weights.outliers.iter().zip(outliers) {
                // Their weights are 0, so any value serves as long as it does not widen the range.
                *outlier = std::mem::replace(&mut to.row[column as usize], 0.0);
            }
            let values = to.values[r * width..][..width].as_mut_ptr();
            // SAFETY: row and values have k elements, a multiple of sixteen.
            to.ranges[r] = unsafe {
                quantize_row::<S>(&to.row, |i, block| {
                    S::store_activations(values.add(i * S::ACTIVATION_BYTES), block)
                })
            };
        }
    }
}

/// Quantises one row by itself: a row of a table.
pub struct QuantizeRow<'a> {
    /// As many as `values`, a multiple of sixteen.
    pub x: &'a [f32],
    /// The bytes.
    pub values: &'a mut [u8],
    /// Their scale and minimum.
    pub range: &'a mut [f32; 2],
}

impl Task for QuantizeRow<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.values.len() / LANES * LANES;
        let values = self.values[..len].as_mut_ptr();
        // SAFETY: both slices have `len` elements, or slicing panics.
        *self.range =
            unsafe { quantize_row::<S>(&self.x[..len], |i, block| S::store_bytes(values.add(i), block)) };
    }
}

/// Hands sixteen values of `x` at a time to `store`, as whole numbers in 0..=255, and answers their scale and minimum.
#[inline(always)]
unsafe fn quantize_row<S: Simd>(x: &[f32], store: impl Fn(usize, S::Floats)) -> [f32; 2] {
    if x.is_empty() {
        return [0.0; 2];
    }
    // SAFETY: the length is a multiple of sixteen.
    unsafe {
        let mut low = S::load(x.as_ptr());
        let mut high = low;
        for i in (LANES..x.len()).step_by(LANES) {
            let block = S::load(x.as_ptr().add(i));
            low = S::min(low, block);
            high = S::max(high, block);
        }
        let minimum = fold::<S>(low, f32::min);
        let range = fold::<S>(high, f32::max) - minimum;
        let (scale, inverse) = if range > 0.0 {
            (range / 255.0, 255.0 / range)
        } else {
            (0.0, 0.0)
        };
        for i in (0..x.len()).step_by(LANES) {
            let block = S::sub(S::load(x.as_ptr().add(i)), S::splat(minimum));
            let block = S::min(S::mul(block, S::splat(inverse)), S::splat(255.0));
            store(i, block);
        }
        [scale, minimum]
    }
}

/// Multiplies all quantised rows with blocks of columns.
///
/// # Safety
/// `out` points to the first of `rows` rows of `n` elements, in which nobody else reads or writes the columns of `blocks`.
pub struct Multiply<'a> {
    /// The left side.
    pub rows: &'a QuantizedRows,
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
            self.blocks.start = super::tiles::bytes::multiply(&self);
            self.run::<super::x86::Avx512>();
        }
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let k = self.weights.k;
        let sides = Sides {
            rows: self.rows.len(),
            x: self.rows.values().as_ptr(),
            row: k * S::ACTIVATION_BYTES,
            x_step: 4 * S::ACTIVATION_BYTES,
            weights: self.weights.values.as_ptr().cast(),
            steps: k / 4,
            // Sums are too many to put aside. Up to 3072 columns of the input are 192 KB of weights, in the second-level cache.
            depth: k / 4,
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
        mut strips: Strips,
    ) {
        let n = self.weights.n;
        // SAFETY: row + ROWS and block + BLOCKS are within bounds; is_consistent says that the lengths fit.
        unsafe {
            let mut products = [[S::splat(0.0); BLOCKS]; ROWS];
            for part in 0..S::PARTS {
                let first: [_; BLOCKS] = std::array::from_fn(|b| {
                    let scales = self.weights.columns.as_ptr().add((block + b) * LANES);
                    S::first_sums(scales, scales.add(n))
                });
                let mut sums = [first; ROWS];
                strips.add_products::<S, _, _, ROWS, BLOCKS>(
                    &mut sums,
                    |line| S::load_weights(line.cast()),
                    |sums, x, weights| S::dot(sums, x, weights),
                );
                for r in 0..ROWS {
                    for b in 0..BLOCKS {
                        S::place_sums(&mut products[r][b], part, sums[r][b]);
                    }
                }
                strips.weights = strips.weights.wrapping_add(LINE / S::PARTS);
            }
            for b in 0..BLOCKS {
                if S::TILE_BLOCKS == 4 {
                    self.finish::<S, ROWS>(row, block + b, std::array::from_fn(|r| products[r][b]));
                } else {
                    // The registers have no room for more than a row.
                    for r in 0..ROWS {
                        self.finish::<S, 1>(row + r, block + b, [products[r][b]]);
                    }
                }
            }
        }
    }
}

impl Multiply<'_> {
    /// Turns products of bytes of one block into the result.
    #[inline(always)]
    pub(super) unsafe fn finish<S: Simd, const ROWS: usize>(
        &self,
        row: usize,
        block: usize,
        products: [S::Floats; ROWS],
    ) {
        let n = self.weights.n;
        let column = block * LANES;
        let outliers = self.weights.outliers.len();
        // SAFETY: row + ROWS and block are within bounds; is_consistent says that the lengths fit.
        unsafe {
            let columns = self.weights.columns.as_ptr().add(column);
            let (scale, sum, bias) = (
                S::load(columns),
                S::load(columns.add(n)),
                S::load(columns.add(2 * n)),
            );
            let ranges = self.rows.ranges.as_ptr().add(row).cast::<[[f32; 2]; ROWS]>();
            let mut y = (*ranges).map(|[_, minimum]| S::mul_add(sum, S::splat(minimum), bias));
            for o in 0..outliers {
                let w = S::load(self.weights.outlier_weights.as_ptr().add(o * n + column));
                for r in 0..ROWS {
                    let x = *self.rows.outliers.as_ptr().add((row + r) * outliers + o);
                    y[r] = S::mul_add(S::splat(x), w, y[r]);
                }
            }
            for r in 0..ROWS {
                let [row_scale, _] = (*ranges)[r];
                y[r] = S::mul_add(S::mul(products[r], scale), S::splat(row_scale), y[r]);
                if self.gelu {
                    y[r] = gelu::<S>(y[r]);
                }
                S::store(self.out.add((row + r) * n + column), y[r]);
            }
        }
    }
}
