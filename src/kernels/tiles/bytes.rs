//! The 8-bit product on tiles (AMX-INT8): 16 rows times 16 columns, 64 deep, an instruction.
//!
//! A tile of weights, 16 columns and 64 deep, is 1024 neighbouring bytes of the layout that
//! [`product8`](crate::kernels::product8) has anyway.

use std::arch::asm;
use std::arch::x86_64::_mm512_load_si512;
use std::mem::MaybeUninit;

use super::{Configured, SIDE};
use crate::kernels::product8::Multiply;
use crate::kernels::simd::{LANES, Simd};
use crate::kernels::x86::Avx512;

/// Columns of the input that one instruction multiplies.
const DEPTH: usize = 64;
/// Requests for weights to come in each step of two tiles of activations: between the products there is time for them.
const REQUESTS: usize = 12;

/// Does `work` as far as it is whole pairs of blocks; answers from which block on nothing was done.
///
/// # Safety
/// As [`Multiply`], where tiles [are available](super::are_available) and AVX-512.
#[inline(always)]
pub unsafe fn multiply(work: &Multiply<'_>) -> usize {
    let (rows, blocks) = (work.rows.len(), work.blocks.clone());
    if !work.weights.k.is_multiple_of(DEPTH) || rows == 0 {
        return blocks.start;
    }
    let end = blocks.end - blocks.len() % 2;
    // SAFETY: rows and blocks are within bounds, and tiles exist.
    unsafe {
        let height = rows.min(SIDE);
        let _configured = Configured::new(height, height);
        for block in (blocks.start..end).step_by(2) {
            for row in (0..rows).step_by(2 * SIDE) {
                if rows - row > SIDE {
                    two_tiles(work, row, block);
                } else {
                    one_tile(work, row, block);
                }
            }
        }
    }
    end
}

/// Three of the [`REQUESTS`] of two tiles.
macro_rules! three_requests {
    () => {
        "prefetcht0 [{ahead}]
        add {ahead}, {ahead_step}
        prefetcht0 [{ahead}]
        add {ahead}, {ahead_step}
        prefetcht0 [{ahead}]
        add {ahead}, {ahead_step}"
    };
}

/// All that a step reads of a block, two steps ahead.
macro_rules! sixteen_requests {
    ($block:literal) => {
        concat!(
            four_requests!($block, "2048", "2112", "2176", "2240"),
            four_requests!($block, "2304", "2368", "2432", "2496"),
            four_requests!($block, "2560", "2624", "2688", "2752"),
            four_requests!($block, "2816", "2880", "2944", "3008"),
        )
    };
}

macro_rules! four_requests {
    ($block:literal, $($at:literal),*) => {
        concat!($("prefetcht0 [{", $block, "} + ", $at, "]\n"),*)
    };
}

/// Sums of bytes of a row in two blocks.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Sums([[i32; LANES]; 2]);

/// Turns the sums of `count` rows into those of the result from `row` on.
#[inline(always)]
unsafe fn finish(sums: *const Sums, count: usize, work: &Multiply<'_>, row: usize, block: usize) {
    for b in 0..2 {
        // SAFETY: the caller has the sums, the rows and the blocks; a block of sums is aligned.
        unsafe {
            let products = |r: usize| {
                let mut products = Avx512::splat(0.0);
                let sums = _mm512_load_si512((&raw const (*sums.add(r)).0[b]).cast());
                Avx512::place_sums(&mut products, 0, sums);
                products
            };
            let mut r = 0;
            while r + 4 <= count {
                let products = std::array::from_fn(|i| products(r + i));
                work.finish::<Avx512, 4>(row + r, block + b, products);
                r += 4;
            }
            while r < count {
                work.finish::<Avx512, 1>(row + r, block + b, [products(r)]);
                r += 1;
            }
        }
    }
}

/// More than sixteen and up to 32 rows of two blocks: two tiles of activations times two of weights make four of sums.
///
/// Where there are fewer than 32, the lower tile begins earlier, with rows that were multiplied already: tiles keep their
/// height, and the sums of those rows are not looked at twice.
#[inline(always)]
unsafe fn two_tiles(work: &Multiply<'_>, row: usize, block: usize) {
    let k = work.weights.k;
    let rows = work.rows.len();
    let lower = (row + SIDE).min(rows - SIDE);
    let mut sums = MaybeUninit::<[Sums; 2 * SIDE]>::uninit();
    let sums = sums.as_mut_ptr().cast::<Sums>();
    // SAFETY: both tiles of rows and the two blocks of weights are there, and `sums` has room for the products.
    unsafe {
        let x = work.rows.values().as_ptr();
        let weights = work.weights.values.as_ptr().add(block * LANES * k);
        // These rows ask for their share of the next two blocks.
        let bytes = 2 * LANES * k;
        let tiles = (rows + SIDE - 1) / (2 * SIDE);
        let ahead = weights.wrapping_add(bytes + bytes * (row / (2 * SIDE)) / tiles);
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{x0} + {x_stride}]",
            "tileloadd tmm6, [{w0} + {w_stride}]",
            "tdpbusd tmm0, tmm4, tmm6",
            three_requests!(),
            "tileloadd tmm7, [{w1} + {w_stride}]",
            "tdpbusd tmm1, tmm4, tmm7",
            three_requests!(),
            "tileloadd tmm5, [{x1} + {x_stride}]",
            "tdpbusd tmm2, tmm5, tmm6",
            three_requests!(),
            "tdpbusd tmm3, tmm5, tmm7",
            three_requests!(),
            "add {x0}, 64",
            "add {x1}, 64",
            "add {w0}, 1024",
            "add {w1}, 1024",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{upper_sums} + {sums_stride}], tmm0",
            "tilestored [{upper_sums} + {sums_stride} + 64], tmm1",
            "tilestored [{lower_sums} + {sums_stride}], tmm2",
            "tilestored [{lower_sums} + {sums_stride} + 64], tmm3",
            x0 = inout(reg) x.add(row * k) => _,
            x1 = inout(reg) x.add(lower * k) => _,
            w0 = inout(reg) weights => _,
            w1 = inout(reg) weights.add(LANES * k) => _,
            steps = inout(reg) k / DEPTH => _,
            x_stride = in(reg) k,
            w_stride = in(reg) DEPTH,
            ahead = inout(reg) ahead => _,
            ahead_step = in(reg) (2 * LANES * DEPTH).div_ceil(tiles * REQUESTS).min(64),
            upper_sums = in(reg) sums,
            lower_sums = in(reg) sums.add(SIDE),
            sums_stride = in(reg) size_of::<Sums>(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
        finish(sums, SIDE, work, row, block);
        let count = lower - row;
        finish(sums.add(2 * SIDE - count), count, work, row + SIDE, block);
    }
}

/// Up to sixteen rows, the last ones, of two blocks. If these are all, the weights are used once, and each step asks for the
/// ones two steps later.
#[inline(always)]
unsafe fn one_tile(work: &Multiply<'_>, row: usize, block: usize) {
    let k = work.weights.k;
    let rows = work.rows.len();
    let height = rows.min(SIDE);
    let first = rows - height;
    let mut sums = MaybeUninit::<[Sums; SIDE]>::uninit();
    let sums = sums.as_mut_ptr().cast::<Sums>();
    // SAFETY: the tile of rows and the two blocks of weights are there, and `sums` has room for the products.
    unsafe {
        let weights = work.weights.values.as_ptr().add(block * LANES * k);
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm4, [{x} + {x_stride}]",
            "tileloadd tmm6, [{w0} + {w_stride}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{w1} + {w_stride}]",
            "tdpbusd tmm1, tmm4, tmm7",
            sixteen_requests!("w0"),
            sixteen_requests!("w1"),
            "add {x}, 64",
            "add {w0}, 1024",
            "add {w1}, 1024",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {sums_stride}], tmm0",
            "tilestored [{sums} + {sums_stride} + 64], tmm1",
            x = inout(reg) work.rows.values().as_ptr().add(first * k) => _,
            w0 = inout(reg) weights => _,
            w1 = inout(reg) weights.add(LANES * k) => _,
            steps = inout(reg) k / DEPTH => _,
            x_stride = in(reg) k,
            w_stride = in(reg) DEPTH,
            sums = in(reg) sums,
            sums_stride = in(reg) size_of::<Sums>(),
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
        finish(sums.add(row - first), rows - row, work, row, block);
    }
}
