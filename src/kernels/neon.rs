//! [`Simd`] with NEON and its dot products of bytes (FEAT_DotProd): Apple silicon, and servers, phones and PCs since 2018.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every method is one intrinsic call under the contract of Simd"
)]

use std::arch::aarch64::*;
use std::arch::asm;

use super::simd::{LANES, Simd};

/// Four registers a block, 16 products an instruction.
///
/// `sdot` multiplies signed bytes only, so activations are stored 128 lower than they are; the sums start from what makes up
/// for it.
#[derive(Clone, Copy)]
pub struct Neon;

#[inline(always)]
fn zip(
    a: [float32x4_t; 4],
    b: [float32x4_t; 4],
    f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t,
) -> [float32x4_t; 4] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// Sixteen whole numbers in 0..=255 as bytes, in order.
#[inline(always)]
unsafe fn bytes(value: [float32x4_t; 4]) -> uint8x16_t {
    unsafe {
        let [a, b, c, d] = value.map(|part| vmovn_u32(vcvtnq_u32_f32(part)));
        vcombine_u8(vmovn_u16(vcombine_u16(a, b)), vmovn_u16(vcombine_u16(c, d)))
    }
}

impl Simd for Neon {
    type Floats = [float32x4_t; 4];
    type Sums = [int32x4_t; 4];
    type Weights = [int8x16_t; 4];
    const PARTS: usize = 1;
    const ACTIVATION_BYTES: usize = 1;
    const TILE_ROWS: usize = 6;
    const TILE_BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> [float32x4_t; 4] {
        unsafe { [vdupq_n_f32(value); 4] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [float32x4_t; 4] {
        std::array::from_fn(|i| unsafe { vld1q_f32(from.add(4 * i)) })
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [float32x4_t; 4]) {
        for (i, part) in value.into_iter().enumerate() {
            unsafe { vst1q_f32(to.add(4 * i), part) };
        }
    }
    #[inline(always)]
    unsafe fn load_columns(from: [*const f32; LANES]) -> [[float32x4_t; 4]; 4] {
        let mut columns = unsafe { [Self::splat(0.0); 4] };
        for (quarter, places) in from.as_chunks::<4>().0.iter().enumerate() {
            unsafe {
                let [a, b, c, d] = places.map(|place| vld1q_f32(place));
                let pairs = |low, high| (vreinterpretq_f64_f32(low), vreinterpretq_f64_f32(high));
                let (ab, cd) = pairs(vzip1q_f32(a, b), vzip1q_f32(c, d));
                columns[0][quarter] = vreinterpretq_f32_f64(vzip1q_f64(ab, cd));
                columns[1][quarter] = vreinterpretq_f32_f64(vzip2q_f64(ab, cd));
                let (ab, cd) = pairs(vzip2q_f32(a, b), vzip2q_f32(c, d));
                columns[2][quarter] = vreinterpretq_f32_f64(vzip1q_f64(ab, cd));
                columns[3][quarter] = vreinterpretq_f32_f64(vzip2q_f64(ab, cd));
            }
        }
        columns
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // The intrinsic, _prefetch, is not stable yet.
        unsafe {
            asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(readonly, nostack, preserves_flags));
        }
    }
    #[inline(always)]
    unsafe fn add(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        zip(a, b, |a, b| unsafe { vaddq_f32(a, b) })
    }
    #[inline(always)]
    unsafe fn sub(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        zip(a, b, |a, b| unsafe { vsubq_f32(a, b) })
    }
    #[inline(always)]
    unsafe fn mul(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        zip(a, b, |a, b| unsafe { vmulq_f32(a, b) })
    }
    #[inline(always)]
    unsafe fn div(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        zip(a, b, |a, b| unsafe { vdivq_f32(a, b) })
    }
    // Not fmin and fmax: those keep a NaN of either side, the other instruction sets only one of the right side.
    #[inline(always)]
    unsafe fn min(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        zip(a, b, |a, b| unsafe { vbslq_f32(vcltq_f32(a, b), a, b) })
    }
    #[inline(always)]
    unsafe fn max(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        zip(a, b, |a, b| unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) })
    }
    #[inline(always)]
    unsafe fn mul_add(a: [float32x4_t; 4], b: [float32x4_t; 4], c: [float32x4_t; 4]) -> [float32x4_t; 4] {
        std::array::from_fn(|i| unsafe { vfmaq_f32(c[i], a[i], b[i]) })
    }
    #[inline(always)]
    unsafe fn round(a: [float32x4_t; 4]) -> [float32x4_t; 4] {
        a.map(|a| unsafe { vrndnq_f32(a) })
    }
    #[inline(always)]
    unsafe fn pow2(n: [float32x4_t; 4]) -> [float32x4_t; 4] {
        n.map(|n| unsafe {
            let exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
        })
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: [float32x4_t; 4]) {
        unsafe { vst1q_u8(to, bytes(value)) }
    }
    #[inline(always)]
    unsafe fn store_activations(to: *mut u8, value: [float32x4_t; 4]) {
        unsafe { vst1q_u8(to, veorq_u8(bytes(value), vdupq_n_u8(128))) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> [float32x4_t; 4] {
        unsafe {
            let bytes = vld1q_u8(from);
            let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_u8(vget_high_u8(bytes)));
            [
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
                vcvtq_f32_u32(vmovl_u16(vget_high_u16(low))),
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
                vcvtq_f32_u32(vmovl_u16(vget_high_u16(high))),
            ]
        }
    }
    #[inline(always)]
    unsafe fn first_sums(scales: *const f32, scaled_sums: *const f32) -> [int32x4_t; 4] {
        // A sum of up to 33,000 weights of at most 127 is less than a half off after its two roundings, and 0 / 0, of a
        // column without weights, converts to 0.
        unsafe {
            zip(Self::load(scaled_sums), Self::load(scales), |sum, scale| {
                vdivq_f32(sum, scale)
            })
            .map(|sum| vshlq_n_s32::<7>(vcvtnq_s32_f32(sum)))
        }
    }
    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> [int8x16_t; 4] {
        std::array::from_fn(|i| unsafe { vld1q_s8(from.add(16 * i)) })
    }
    #[inline(always)]
    unsafe fn dot(
        mut sums: [int32x4_t; 4],
        activations: *const u8,
        weights: [int8x16_t; 4],
    ) -> [int32x4_t; 4] {
        let four = unsafe { vdupq_n_u32(activations.cast::<u32>().read_unaligned()) };
        for (sum, weights) in sums.iter_mut().zip(weights) {
            // The intrinsic, vdotq_s32, is not stable yet. A debug build leaves this in a closure of its own, which does not
            // have the instructions of the function around it: hence the directive.
            unsafe {
                asm!(
                    ".arch_extension dotprod",
                    "sdot {sum:v}.4s, {weights:v}.16b, {four:v}.16b",
                    sum = inout(vreg) *sum,
                    weights = in(vreg) weights,
                    four = in(vreg) four,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
        }
        sums
    }
    #[inline(always)]
    unsafe fn place_sums(block: &mut [float32x4_t; 4], _: usize, sums: [int32x4_t; 4]) {
        *block = sums.map(|sums| unsafe { vcvtq_f32_s32(sums) });
    }
}
