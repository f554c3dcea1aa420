//! The arithmetic of an encoder on one thread: products in `f32` and 8 bits, attention, layer normalisation, token rows;
//! and the sums that vectors are compared by.
//!
//! Kernels are generic over [`simd::Simd`] and take plain slices; nothing here knows ONNX Runtime. A result depends on its
//! own row alone, never on what else is in the batch.
#![allow(unsafe_code, reason = "vector instructions and the pointers that they read")]
#![allow(
    clippy::indexing_slicing,
    reason = "hot loops over bounds that each kernel checks once, before its first row"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "tiles are clearer, and stay in registers, with the row and block they are at"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "the contract stands at the trait Simd and at Task"
)]
#![allow(
    missing_docs,
    reason = "operations like `add` and fields like `query` say it all; what is not obvious is documented"
)]

pub mod attention;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod portable;
pub mod product;
pub mod product8;
pub mod rows;
pub mod simd;
pub mod similarity;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod tiling;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

use self::portable::Portable;
use self::simd::Simd;

/// The instruction set that the kernels run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 with VNNI, and matrix tiles for both products.
    Amx,
    /// AVX-512 with VNNI.
    Avx512,
    /// AVX2 with VNNI.
    AvxVnni,
    /// AVX2 and FMA.
    Avx2,
    /// NEON with dot products of bytes.
    Neon,
    /// Whatever the compiler makes of plain Rust.
    Portable,
}

impl Isa {
    /// Whether products in `f32` are taken to be as fast here as ONNX Runtime's: measured on x86-64; on NEON for what
    /// bench/notes.md read off the code, for the weights that lie in memory once, and for the same vectors on nearly every CPU.
    #[must_use]
    pub fn has_fast_floats(self) -> bool {
        self != Self::Portable
    }

    /// The best that this CPU has; asked once per process.
    #[must_use]
    pub fn detect() -> Self {
        static DETECTED: OnceLock<Isa> = OnceLock::new();
        *DETECTED.get_or_init(|| Self::available().first().copied().unwrap_or(Self::Portable))
    }

    /// All that this CPU has, best first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                if tiles::are_available() {
                    found.push(Self::Amx);
                }
                found.push(Self::Avx512);
            }
            if avx2 && is_x86_feature_detected!("avxvnni") {
                found.push(Self::AvxVnni);
            }
            if avx2 {
                found.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            found.push(Self::Neon);
        }
        found.push(Self::Portable);
        found
    }
}

/// A piece of work that can run on any instruction set.
pub trait Task {
    /// Does the work.
    ///
    /// # Safety
    /// Only inside a function that enables the features of `S`, on a CPU that has them. Implementations are
    /// `#[inline(always)]`, or the features would not reach them.
    unsafe fn run<S: Simd>(self);

    /// Does the work with [`Isa::Amx`].
    ///
    /// # Safety
    /// As [`run`](Task::run) with `x86::Avx512`, where `tiles::are_available`.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn run_on_tiles(self)
    where
        Self: Sized,
    {
        // SAFETY: the caller's promises.
        unsafe { self.run::<x86::Avx512>() }
    }
}

/// Runs `task` on `isa`.
///
/// # Safety
/// This CPU must have `isa` ([`Isa::available`]), and what the task says of its own pointers must hold.
pub unsafe fn run(isa: Isa, task: impl Task) {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => amx(task),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512(task),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => avx_vnni(task),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2(task),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon(task),
            _ => task.run::<Portable>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn amx(task: impl Task) {
    // SAFETY: this function enables the features; the caller checked the CPU.
    unsafe { task.run_on_tiles() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn avx512(task: impl Task) {
    // SAFETY: this function enables the features; the caller checked the CPU.
    unsafe { task.run::<x86::Avx512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn avx_vnni(task: impl Task) {
    // SAFETY: as above.
    unsafe { task.run::<x86::AvxVnni>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(task: impl Task) {
    // SAFETY: as above.
    unsafe { task.run::<x86::Avx2>() }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod")]
unsafe fn neon(task: impl Task) {
    // SAFETY: as above.
    unsafe { task.run::<neon::Neon>() }
}
