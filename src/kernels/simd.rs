//! Sixteen numbers at a time: the few vector operations that the kernels are written in.
//!
//! Every instruction set gets one implementation of [`Simd`]; the kernels are generic over it. A block always has sixteen
//! lanes, however many registers hold it, and sums are always folded in the same order. So the kernels do the same
//! arithmetic in the same order on every CPU with fused multiply-add, and integer sums are exact on all of them.

/// Lanes of a block, on every instruction set.
pub const LANES: usize = 16;

/// One instruction set.
///
/// # Safety
/// All methods must only run where the instruction set exists, inside a function that enables it
/// (`#[target_feature]`), and pointers must be valid for the sixteen elements that a method reads or writes.
pub trait Simd: Copy {
    /// Sixteen `f32`.
    type Floats: Copy;
    /// Running integer sums of one part of a block, in whatever order or width suits [`dot`](Simd::dot).
    type Sums: Copy;
    /// As many columns of four weights each, ready for [`dot`](Simd::dot).
    type Weights: Copy;
    /// Parts that a block is multiplied in, one after the other, so that the sums of a tile fit the registers: 1 or 2.
    const PARTS: usize;
    /// Bytes of an activation as [`dot`](Simd::dot) reads it.
    const ACTIVATION_BYTES: usize;
    /// Rows of a tile, 4 or 6: its sums, the weights and one activation must fit the registers.
    const TILE_ROWS: usize;
    /// Blocks of columns of a tile, 1 or 4.
    const TILE_BLOCKS: usize;

    unsafe fn splat(value: f32) -> Self::Floats;
    unsafe fn load(from: *const f32) -> Self::Floats;
    unsafe fn store(to: *mut f32, value: Self::Floats);
    /// Loads four numbers from each of sixteen places; answers the first of all places, the second, and so on.
    unsafe fn load_columns(from: [*const f32; LANES]) -> [Self::Floats; 4];
    /// Asks for the line of memory at `at`, which need not exist, into the caches.
    unsafe fn prefetch(at: *const u8);
    unsafe fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn sub(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn div(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn min(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn max(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`.
    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// To the nearest whole number, ties to even.
    unsafe fn round(a: Self::Floats) -> Self::Floats;
    /// `2^n` for whole `n` in -127..=127; exactly 0 for -127.
    unsafe fn pow2(n: Self::Floats) -> Self::Floats;
    /// Stores whole numbers in 0..=255 as bytes.
    unsafe fn store_bytes(to: *mut u8, value: Self::Floats);
    /// Stores whole numbers in 0..=255 as [`dot`](Simd::dot) reads them.
    unsafe fn store_activations(to: *mut u8, value: Self::Floats);
    /// Loads sixteen bytes as numbers.
    unsafe fn load_bytes(from: *const u8) -> Self::Floats;

    /// What the sums of a part start from: 0, or what makes up for activations that
    /// [`store_activations`](Simd::store_activations) shifted: by the scale of each column and its scaled sum of weights.
    unsafe fn first_sums(scales: *const f32, scaled_sums: *const f32) -> Self::Sums;
    /// Loads the weights of a part: four for each of its columns.
    unsafe fn load_weights(from: *const i8) -> Self::Weights;
    /// Adds to each column's sum the product of its four weights with the four activations at `activations`, exactly.
    unsafe fn dot(sums: Self::Sums, activations: *const u8, weights: Self::Weights) -> Self::Sums;
    /// Puts the sums of a part where they belong in the block.
    unsafe fn place_sums(block: &mut Self::Floats, part: usize, sums: Self::Sums);
}

/// Folds sixteen lanes to one in a fixed order: halves, quarters, pairs.
#[inline(always)]
pub unsafe fn fold<S: Simd>(value: S::Floats, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    // SAFETY: the array has sixteen elements.
    unsafe { S::store(lanes.as_mut_ptr(), value) };
    let mut width = LANES / 2;
    while width > 0 {
        let (low, high) = lanes.split_at_mut(width);
        for (a, b) in low.iter_mut().zip(high.iter()) {
            *a = combine(*a, *b);
        }
        width /= 2;
    }
    lanes[0]
}

/// `e^x` for `x <= 88`, to about two units in the last place; exactly 0 below -88.
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::Floats) -> S::Floats {
    // SAFETY: the caller's contract.
    unsafe {
        // At the lower bound n is -127, for which pow2 is 0: a masked position weighs nothing, not nearly nothing.
        let x = S::max(x, S::splat(-88.03));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let r = S::mul_add(n, S::splat(-0.693_359_4), x);
        let r = S::mul_add(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_1e-4);
        for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
            p = S::mul_add(p, r, S::splat(coefficient));
        }
        let p = S::mul_add(p, S::mul(r, r), S::add(r, S::splat(1.0)));
        S::mul(p, S::pow2(n))
    }
}

/// The Gaussian error linear unit, `x * (1 + erf(x / sqrt 2)) / 2`, to about 1e-6.
#[inline(always)]
pub unsafe fn gelu<S: Simd>(x: S::Floats) -> S::Floats {
    // SAFETY: the caller's contract.
    unsafe {
        // erf as a ratio of polynomials; beyond +-4 it is +-1 in f32.
        let z = S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2));
        let z = S::max(S::min(z, S::splat(4.0)), S::splat(-4.0));
        let z2 = S::mul(z, z);
        let mut p = S::splat(-2.726_142_3e-10);
        for coefficient in [
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_5e-5,
            -7.349_906_5e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ] {
            p = S::mul_add(p, z2, S::splat(coefficient));
        }
        let mut q = S::splat(-1.456_607_2e-5);
        for coefficient in [-2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2] {
            q = S::mul_add(q, z2, S::splat(coefficient));
        }
        let erf = S::div(S::mul(z, p), q);
        let half = S::mul(x, S::splat(0.5));
        S::mul_add(half, erf, half)
    }
}
