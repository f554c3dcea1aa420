//! [`Simd`] with AVX-512 VNNI and with AVX2.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every method is one intrinsic call under the contract of Simd"
)]

use std::arch::x86_64::*;

use super::simd::{LANES, Simd};

/// For a shuffle of two registers: of each quarter, the first two numbers of one and of the other.
const LOW_PAIRS: i32 = 0b01_00_01_00;
/// The last two.
const HIGH_PAIRS: i32 = 0b11_10_11_10;

/// AVX-512 with VNNI: one register a block, 64 products an instruction.
#[derive(Clone, Copy)]
pub struct Avx512;

impl Simd for Avx512 {
    type Floats = __m512;
    type Sums = __m512i;
    type Weights = __m512i;
    const PARTS: usize = 1;
    const ACTIVATION_BYTES: usize = 1;
    const TILE_ROWS: usize = 6;
    const TILE_BLOCKS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn load_columns(from: [*const f32; LANES]) -> [__m512; 4] {
        // Every fourth place in one register: then a turn of four by four in each quarter puts all in order.
        let every_fourth = |first: usize| unsafe {
            let place = |quarter: usize| _mm_loadu_ps(from[first + 4 * quarter]);
            let half = _mm512_insertf32x4::<1>(_mm512_castps128_ps512(place(0)), place(1));
            _mm512_insertf32x4::<3>(_mm512_insertf32x4::<2>(half, place(2)), place(3))
        };
        let [a, b, c, d] = std::array::from_fn(every_fourth);
        unsafe {
            let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
            let (ab2, cd2) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
            [
                _mm512_shuffle_ps::<LOW_PAIRS>(ab, cd),
                _mm512_shuffle_ps::<HIGH_PAIRS>(ab, cd),
                _mm512_shuffle_ps::<LOW_PAIRS>(ab2, cd2),
                _mm512_shuffle_ps::<HIGH_PAIRS>(ab2, cd2),
            ]
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn pow2(n: __m512) -> __m512 {
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: __m512) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value))) }
    }
    #[inline(always)]
    unsafe fn store_activations(to: *mut u8, value: __m512) {
        unsafe { Self::store_bytes(to, value) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn first_sums(_: *const f32, _: *const f32) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn dot(sums: __m512i, activations: *const u8, weights: __m512i) -> __m512i {
        unsafe {
            let four = _mm512_set1_epi32(activations.cast::<i32>().read_unaligned());
            _mm512_dpbusd_epi32(sums, four, weights)
        }
    }
    #[inline(always)]
    unsafe fn place_sums(block: &mut __m512, _: usize, sums: __m512i) {
        *block = unsafe { _mm512_cvtepi32_ps(sums) };
    }
}

/// What AVX2 with and without VNNI do alike: two registers a block.
macro_rules! float_methods_of_avx2 {
    () => {
        #[inline(always)]
        unsafe fn splat(value: f32) -> [__m256; 2] {
            unsafe { [_mm256_set1_ps(value); 2] }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> [__m256; 2] {
            unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, value: [__m256; 2]) {
            unsafe {
                _mm256_storeu_ps(to, value[0]);
                _mm256_storeu_ps(to.add(8), value[1]);
            }
        }
        #[inline(always)]
        unsafe fn load_columns(from: [*const f32; LANES]) -> [[__m256; 2]; 4] {
            // As with AVX-512, eight places at a time.
            let half = |start: usize| unsafe {
                let [a, b, c, d] = std::array::from_fn(|first| {
                    let place = |quarter: usize| _mm_loadu_ps(from[start + first + 4 * quarter]);
                    _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(place(0)), place(1))
                });
                let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
                let (ab2, cd2) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
                [
                    _mm256_shuffle_ps::<LOW_PAIRS>(ab, cd),
                    _mm256_shuffle_ps::<HIGH_PAIRS>(ab, cd),
                    _mm256_shuffle_ps::<LOW_PAIRS>(ab2, cd2),
                    _mm256_shuffle_ps::<HIGH_PAIRS>(ab2, cd2),
                ]
            };
            let (low, high) = (half(0), half(8));
            std::array::from_fn(|column| [low[column], high[column]])
        }
        #[inline(always)]
        unsafe fn prefetch(at: *const u8) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        }
        #[inline(always)]
        unsafe fn add(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn sub(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn mul(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn div(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn min(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn max(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn mul_add(a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
            unsafe {
                [
                    _mm256_fmadd_ps(a[0], b[0], c[0]),
                    _mm256_fmadd_ps(a[1], b[1], c[1]),
                ]
            }
        }
        #[inline(always)]
        unsafe fn round(a: [__m256; 2]) -> [__m256; 2] {
            const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
            unsafe {
                [
                    _mm256_round_ps::<NEAREST>(a[0]),
                    _mm256_round_ps::<NEAREST>(a[1]),
                ]
            }
        }
        #[inline(always)]
        unsafe fn pow2(n: [__m256; 2]) -> [__m256; 2] {
            let half = |n| unsafe {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            };
            [half(n[0]), half(n[1])]
        }
        #[inline(always)]
        unsafe fn store_bytes(to: *mut u8, value: [__m256; 2]) {
            unsafe {
                let words = words_of_avx2(value);
                let low = _mm256_castsi256_si128(words);
                let high = _mm256_extracti128_si256::<1>(words);
                _mm_storeu_si128(to.cast(), _mm_packus_epi16(low, high));
            }
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> [__m256; 2] {
            unsafe {
                let bytes = _mm_loadu_si128(from.cast());
                [
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes))),
                ]
            }
        }
    };
}

/// Sixteen whole numbers as 16-bit ones, in order.
#[inline(always)]
unsafe fn words_of_avx2(value: [__m256; 2]) -> __m256i {
    unsafe {
        // Packing works within 128-bit halves: 0-3 8-11 | 4-7 12-15, so the middle quarters change places.
        let words = _mm256_packs_epi32(_mm256_cvtps_epi32(value[0]), _mm256_cvtps_epi32(value[1]));
        _mm256_permute4x64_epi64::<0b1101_1000>(words)
    }
}

/// AVX2 and FMA without VNNI.
///
/// `vpmaddubsw` would saturate, so both sides are widened to 16 bits: activations when they are quantised, weights when they
/// are loaded. Half the products an instruction, and exact sums.
#[derive(Clone, Copy)]
pub struct Avx2;

impl Simd for Avx2 {
    type Floats = [__m256; 2];
    /// Register i holds columns 4i to 4i + 3 of a part, two sums each that are still to be added.
    type Sums = [__m256i; 2];
    type Weights = [__m256i; 2];
    const PARTS: usize = 2;
    const ACTIVATION_BYTES: usize = 2;
    const TILE_ROWS: usize = 6;
    const TILE_BLOCKS: usize = 1;

    float_methods_of_avx2!();

    #[inline(always)]
    unsafe fn store_activations(to: *mut u8, value: [__m256; 2]) {
        unsafe { _mm256_storeu_si256(to.cast(), words_of_avx2(value)) }
    }
    #[inline(always)]
    unsafe fn first_sums(_: *const f32, _: *const f32) -> [__m256i; 2] {
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> [__m256i; 2] {
        let widen = |offset| unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(from.add(offset).cast())) };
        [widen(0), widen(16)]
    }
    #[inline(always)]
    unsafe fn dot(sums: [__m256i; 2], activations: *const u8, weights: [__m256i; 2]) -> [__m256i; 2] {
        unsafe {
            let four = _mm256_set1_epi64x(activations.cast::<i64>().read_unaligned());
            [
                _mm256_add_epi32(sums[0], _mm256_madd_epi16(four, weights[0])),
                _mm256_add_epi32(sums[1], _mm256_madd_epi16(four, weights[1])),
            ]
        }
    }
    #[inline(always)]
    unsafe fn place_sums(block: &mut [__m256; 2], part: usize, sums: [__m256i; 2]) {
        unsafe {
            // Columns 0 1 4 5 | 2 3 6 7 after the pairwise addition.
            let sums = _mm256_hadd_epi32(sums[0], sums[1]);
            block[part] = _mm256_cvtepi32_ps(_mm256_permute4x64_epi64::<0b1101_1000>(sums));
        }
    }
}

/// AVX2 with VNNI in 256-bit registers (AVX-VNNI): CPUs without AVX-512.
#[derive(Clone, Copy)]
pub struct AvxVnni;

impl Simd for AvxVnni {
    type Floats = [__m256; 2];
    type Sums = [__m256i; 2];
    type Weights = [__m256i; 2];
    const PARTS: usize = 1;
    const ACTIVATION_BYTES: usize = 1;
    const TILE_ROWS: usize = 6;
    const TILE_BLOCKS: usize = 1;

    float_methods_of_avx2!();

    #[inline(always)]
    unsafe fn store_activations(to: *mut u8, value: [__m256; 2]) {
        unsafe { Self::store_bytes(to, value) }
    }
    #[inline(always)]
    unsafe fn first_sums(_: *const f32, _: *const f32) -> [__m256i; 2] {
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> [__m256i; 2] {
        unsafe {
            [
                _mm256_loadu_si256(from.cast()),
                _mm256_loadu_si256(from.add(32).cast()),
            ]
        }
    }
    #[inline(always)]
    unsafe fn dot(sums: [__m256i; 2], activations: *const u8, weights: [__m256i; 2]) -> [__m256i; 2] {
        unsafe {
            let four = _mm256_set1_epi32(activations.cast::<i32>().read_unaligned());
            [
                _mm256_dpbusd_avx_epi32(sums[0], four, weights[0]),
                _mm256_dpbusd_avx_epi32(sums[1], four, weights[1]),
            ]
        }
    }
    #[inline(always)]
    unsafe fn place_sums(block: &mut [__m256; 2], _: usize, sums: [__m256i; 2]) {
        *block = unsafe { [_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])] };
    }
}
