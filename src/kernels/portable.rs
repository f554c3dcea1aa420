//! [`Simd`] in plain Rust: the reference for the others, and what a CPU with none of them runs.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every pointer access is under the contract of Simd"
)]

use super::simd::{LANES, Simd};

/// Arrays of sixteen.
#[derive(Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn map(a: [f32; LANES], f: impl Fn(f32) -> f32) -> [f32; LANES] {
    a.map(f)
}

#[inline(always)]
fn zip(mut a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = f(*a, b);
    }
    a
}

impl Simd for Portable {
    type Floats = [f32; LANES];
    type Sums = [i32; LANES];
    type Weights = [i8; 4 * LANES];
    const PARTS: usize = 1;
    const ACTIVATION_BYTES: usize = 1;
    const TILE_ROWS: usize = 4;
    const TILE_BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; LANES] {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; LANES] {
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; LANES]) {
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn load_columns(from: [*const f32; LANES]) -> [[f32; LANES]; 4] {
        std::array::from_fn(|column| from.map(|place| unsafe { place.add(column).read_unaligned() }))
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const u8) {}
    #[inline(always)]
    unsafe fn add(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn min(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn mul_add(a: [f32; LANES], b: [f32; LANES], mut c: [f32; LANES]) -> [f32; LANES] {
        for ((a, b), c) in a.into_iter().zip(b).zip(&mut c) {
            // Where the CPU cannot fuse, f32::mul_add is a library call: a hundred times slower for one rounding less.
            *c = if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
                a.mul_add(b, *c)
            } else {
                a * b + *c
            };
        }
        c
    }
    #[inline(always)]
    unsafe fn round(a: [f32; LANES]) -> [f32; LANES] {
        map(a, f32::round_ties_even)
    }
    #[inline(always)]
    unsafe fn pow2(n: [f32; LANES]) -> [f32; LANES] {
        map(n, |n| f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: [f32; LANES]) {
        unsafe {
            to.cast::<[u8; LANES]>()
                .write_unaligned(value.map(|value| value.round_ties_even() as u8))
        }
    }
    #[inline(always)]
    unsafe fn store_activations(to: *mut u8, value: [f32; LANES]) {
        unsafe { Self::store_bytes(to, value) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> [f32; LANES] {
        unsafe { from.cast::<[u8; LANES]>().read_unaligned().map(f32::from) }
    }
    #[inline(always)]
    unsafe fn first_sums(_: *const f32, _: *const f32) -> [i32; LANES] {
        [0; LANES]
    }
    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> [i8; 4 * LANES] {
        unsafe { from.cast::<[i8; 4 * LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn dot(mut sums: [i32; LANES], activations: *const u8, weights: [i8; 4 * LANES]) -> [i32; LANES] {
        let four = unsafe { activations.cast::<[u8; 4]>().read_unaligned() }.map(i32::from);
        for (sum, column) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            for (weight, activation) in column.iter().zip(four) {
                *sum += i32::from(*weight) * activation;
            }
        }
        sums
    }
    #[inline(always)]
    unsafe fn place_sums(block: &mut [f32; LANES], _: usize, sums: [i32; LANES]) {
        *block = sums.map(|sum| sum as f32);
    }
}
