//! The 8-bit product on the matrix tiles of Intel's server CPUs (AMX-INT8): 16 rows times 16 columns, 64 deep, an instruction.
//!
//! Instructions and configuration: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18. Rust
//! has no stable intrinsics for them. A tile of weights, 16 columns and 64 deep, is 1024 neighbouring bytes of the layout
//! that [`product8`](super::product8) has anyway.

use std::arch::asm;
use std::arch::x86_64::_mm512_load_si512;

use super::product8::Multiply;
use super::simd::{LANES, Simd};
use super::x86::Avx512;

/// Rows and columns of a tile of sums.
const SIDE: usize = 16;
/// Columns of the input that one instruction multiplies.
const DEPTH: usize = 64;
/// Rows and columns of what is computed at a time: two tiles of activations times two of weights make four of sums.
const PAIR: usize = 2 * SIDE;

/// Whether this CPU, which has AVX-512, has tiles and the system lets this process use them, which Linux wants to be asked.
#[must_use]
pub fn are_available() -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::arch::x86_64::__cpuid_count;
        /// `ARCH_REQ_XCOMP_PERM` and `XFEATURE_XTILEDATA` of Linux's asm/prctl.h.
        const REQUEST_PERMISSION: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        const TILES_AND_INT8: u32 = 1 << 24 | 1 << 25;
        // SAFETY: every x86-64 CPU has the instruction, one with AVX-512 its leaf 7; and the call takes two numbers. It
        // fails where the kernel knows no tiles, whatever the CPU has.
        unsafe {
            __cpuid_count(7, 0).edx & TILES_AND_INT8 == TILES_AND_INT8
                && libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0
        }
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Does `work` as far as it is whole pairs of blocks; answers from which block on nothing was done.
///
/// # Safety
/// As [`Multiply`], where [`are_available`] and AVX-512.
#[inline(always)]
pub unsafe fn multiply(work: &Multiply<'_>) -> usize {
    let k = work.weights.k;
    let (rows, blocks) = (work.rows.len(), work.blocks.clone());
    if !k.is_multiple_of(DEPTH) {
        return blocks.start;
    }
    let whole = rows / PAIR * PAIR;
    let end = blocks.end - blocks.len() % 2;
    for (rows, height) in [(0..whole, PAIR), (whole..rows, rows - whole)] {
        if rows.is_empty() {
            continue;
        }
        // SAFETY: rows and blocks are within bounds, and tiles exist.
        unsafe {
            let _configured = Configured::new(height);
            for block in (blocks.start..end).step_by(2) {
                for row in rows.clone().step_by(PAIR) {
                    pair(work, row, height, block);
                }
            }
        }
    }
    end
}

/// All of up to 32 rows times two blocks.
#[inline(always)]
unsafe fn pair(work: &Multiply<'_>, row: usize, height: usize, block: usize) {
    #[repr(align(64))]
    struct Sums([i32; PAIR * PAIR]);
    const ROW_BYTES: usize = PAIR * size_of::<i32>();

    let k = work.weights.k;
    let mut sums = std::mem::MaybeUninit::<Sums>::uninit();
    // SAFETY: the rows and the two blocks of weights are there; the tiles have `height` rows, which `sums` has room for.
    unsafe {
        let x = work.rows.values().as_ptr().add(row * k);
        let weights = work.weights.values.as_ptr().add(block * LANES * k);
        let sums = (&raw mut (*sums.as_mut_ptr()).0).cast::<i32>();
        // Where there are no lower rows, their tiles have one row, whose sums nobody reads.
        let lower = if height > SIDE { x.add(SIDE * k) } else { x };
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{x0} + {x_stride}]",
            "tileloadd tmm6, [{w0} + {w_stride}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{w1} + {w_stride}]",
            "tdpbusd tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{x1} + {x_stride}]",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "add {x0}, 64",
            "add {x1}, 64",
            "add {w0}, 1024",
            "add {w1}, 1024",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {sums_stride}], tmm0",
            "tilestored [{sums} + {sums_stride} + 64], tmm1",
            "tilestored [{lower_sums} + {sums_stride}], tmm2",
            "tilestored [{lower_sums} + {sums_stride} + 64], tmm3",
            x0 = inout(reg) x => _,
            x1 = inout(reg) lower => _,
            w0 = inout(reg) weights => _,
            w1 = inout(reg) weights.add(LANES * k) => _,
            steps = inout(reg) k / DEPTH => _,
            x_stride = in(reg) k,
            w_stride = in(reg) DEPTH,
            sums = in(reg) sums,
            lower_sums = in(reg) sums.add(SIDE * PAIR),
            sums_stride = in(reg) ROW_BYTES,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
        for b in 0..2 {
            let products = |r: usize| {
                let mut products = Avx512::splat(0.0);
                let sums = _mm512_load_si512(sums.add(r * PAIR + b * LANES).cast());
                Avx512::place_sums(&mut products, 0, sums);
                products
            };
            let mut r = 0;
            while r + 4 <= height {
                let products = std::array::from_fn(|i| products(r + i));
                work.finish::<Avx512, 4>(row + r, block + b, products);
                r += 4;
            }
            while r < height {
                work.finish::<Avx512, 1>(row + r, block + b, [products(r)]);
                r += 1;
            }
        }
    }
}

/// Tiles of this thread in use: as long as this lives.
struct Configured;

impl Configured {
    /// Sums and activations get `rows` in two tiles, weights sixteen.
    #[inline(always)]
    unsafe fn new(rows: usize) -> Self {
        /// Palette, where to start, 14 bytes reserved, bytes of a row of 16 tiles, rows of 16 tiles.
        #[repr(C, align(64))]
        struct Config {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let (upper, lower) = (rows.min(SIDE) as u8, rows.saturating_sub(SIDE).max(1) as u8);
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        config.row_bytes[..8].fill(DEPTH as u16);
        config.rows[..8].copy_from_slice(&[upper, upper, lower, lower, upper, lower, 16, 16]);
        // SAFETY: tiles exist, and this is a configuration that they can have.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(readonly, nostack, preserves_flags))
        };
        Self
    }
}

impl Drop for Configured {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: tiles exist. Released, they cost nothing when the system changes threads.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}
