//! Products on the matrix tiles of Intel's server CPUs (AMX).
//!
//! Instructions and configuration: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18. Rust
//! has no stable intrinsics for them.

pub mod bytes;
pub mod floats;
mod parts;
mod pass;

use std::arch::asm;

/// Rows and columns of a tile of sums.
const SIDE: usize = 16;
/// Bytes of a row of a tile.
const ROW_BYTES: u16 = 64;

/// Whether this CPU, which has AVX-512, has tiles and the system lets this process use them, which Linux wants to be asked.
/// Miri runs no assembler.
#[must_use]
pub fn are_available() -> bool {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use std::arch::x86_64::__cpuid_count;
        /// `ARCH_REQ_XCOMP_PERM` and `XFEATURE_XTILEDATA` of Linux's asm/prctl.h.
        const REQUEST_PERMISSION: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        const TILES_INT8_AND_BF16: u32 = 1 << 24 | 1 << 25 | 1 << 22;
        // SAFETY: every x86-64 CPU has the instruction, one with AVX-512 its leaf 7; and the call takes two numbers. It
        // fails where the kernel knows no tiles, whatever the CPU has.
        unsafe {
            __cpuid_count(7, 0).edx & TILES_INT8_AND_BF16 == TILES_INT8_AND_BF16
                && libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0
        }
    }
    #[cfg(any(not(target_os = "linux"), miri))]
    false
}

/// Tiles of this thread in use: as long as this lives.
struct Configured;

impl Configured {
    /// Tiles 0 and 1 (sums) and 4 (activations) get `upper` rows, 2, 3 and 5 `lower` ones, 6 and 7 (weights) sixteen.
    #[inline(always)]
    unsafe fn new(upper: usize, lower: usize) -> Self {
        /// Palette, where to start, 14 bytes reserved, bytes of a row of 16 tiles, rows of 16 tiles.
        #[repr(C, align(64))]
        struct Config {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let (upper, lower) = (upper as u8, lower as u8);
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        config.row_bytes[..8].fill(ROW_BYTES);
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
