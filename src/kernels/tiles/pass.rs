//! A pass of the [`f32` product](super::floats): the loop over the steps of two tiles of rows and two blocks, in assembler, as the
//! compiler knows no tiles that live from one instruction to the next.

use std::arch::asm;
use std::mem::offset_of;

use super::parts::{HALF, Line, UPPER};
use crate::kernels::tiling::LINE;

/// Requests for each block's weights to come, in each step.
pub const REQUESTS: usize = 16;

/// Up to 32 rows, the upper and the lower sixteen, of two blocks: what the loop reads from memory, as registers are few.
#[repr(C)]
pub struct Pass {
    /// Where the sums begin; the lower rows have their own.
    pub sums: *const f32,
    pub lower_sums: *const f32,
    pub sums_stride: usize,
    pub x: *const Line,
    pub lower_x: *const Line,
    /// Parts of the weights of the first step; those of the next one follow.
    pub weights: *mut Line,
    pub steps: usize,
    /// Weights of the second step of the first of both blocks, to be split.
    pub source: *const u8,
    /// Weights of its first step.
    pub first: *const u8,
    /// Bytes from one block to the next.
    pub block: usize,
    /// Weights that this pass asks for, of the first of two blocks, and how many bytes it goes on with each request.
    pub ahead: *const u8,
    pub ahead_step: usize,
    pub out: *mut f32,
    pub lower_out: *mut f32,
    pub out_stride: usize,
}

/// Two requests, a block each.
macro_rules! request {
    () => {
        "prefetcht1 [{ahead}]
        prefetcht1 [{ahead} + {block}]
        add {ahead}, {ahead_step}
        "
    };
}

/// What a step does in its eight places between products: it asks for weights to come.
macro_rules! ask {
    ($place:literal) => {
        concat!(request!(), request!())
    };
}

/// As `ask`, and it splits those of the next step: in each place two pairs of lines of both blocks.
macro_rules! ask_and_split {
    ($place:literal) => {
        concat!(
            split_pair!("", "0", $place, "0"),
            request!(),
            split_pair!(" + {block}", "1", $place, "0"),
            split_pair!("", "0", $place, "1"),
            request!(),
            split_pair!(" + {block}", "1", $place, "1"),
        )
    };
}

/// [`split`](super::parts) of a pair of lines of one of both blocks, and each of their parts as one line.
#[rustfmt::skip] // a line an instruction
macro_rules! split_pair {
    ($at:literal, $block:literal, $place:literal, $nth:literal) => {
        concat!(
            "vmovups zmm16, [{source}", $at, " + 128*(2*", $place, " + ", $nth, ")]
            vmovups zmm17, [{source}", $at, " + 128*(2*", $place, " + ", $nth, ") + 64]
            ",
            split_off!(),
            "vmovdqa64 [{split} + 1024*", $block, " + 64*(2*", $place, " + ", $nth, ")], zmm18
            ",
            split_off!(),
            "vmovdqa64 [{split} + 2048 + 1024*", $block, " + 64*(2*", $place, " + ", $nth, ")], zmm18
            vpsrld zmm16, zmm16, 16
            vpord zmm16, zmm16, zmm17
            vmovdqa64 [{split} + 4096 + 1024*", $block, " + 64*(2*", $place, " + ", $nth, ")], zmm16
            "
        )
    };
}

/// Takes the upper part off both numbers, rounded, and puts the two beside each other.
macro_rules! split_off {
    () => {
        "vpaddd zmm18, zmm16, zmm21
        vpaddd zmm19, zmm17, zmm21
        vpandd zmm20, zmm18, zmm22
        vpandd zmm19, zmm19, zmm22
        vpsrld zmm18, zmm18, 16
        vsubps zmm16, zmm16, zmm20
        vsubps zmm17, zmm17, zmm19
        vpord zmm18, zmm18, zmm19
        "
    };
}

/// All products of a step, and between them eight times what `$between` says: high and low, high and middle, middle twice,
/// middle and high, high twice, low and high. Neighbours share a part, so that each loads only the other. A tile is 1024 bytes.
macro_rules! step_of_two {
    ($between:ident) => {
        concat!(
            "tileloadd tmm4, [{x} + {line}]
            tileloadd tmm6, [{weights} + {line} + 4096]
            tdpbf16ps tmm0, tmm4, tmm6
            tileloadd tmm7, [{weights} + {line} + 5120]
            tdpbf16ps tmm1, tmm4, tmm7
            tileloadd tmm5, [{lower_x} + {line}]
            tdpbf16ps tmm2, tmm5, tmm6
            ",
            $between!(0),
            "tdpbf16ps tmm3, tmm5, tmm7
            tileloadd tmm6, [{weights} + {line} + 2048]
            tdpbf16ps tmm0, tmm4, tmm6
            tileloadd tmm7, [{weights} + {line} + 3072]
            tdpbf16ps tmm1, tmm4, tmm7
            ",
            $between!(1),
            "tdpbf16ps tmm2, tmm5, tmm6
            tdpbf16ps tmm3, tmm5, tmm7
            tileloadd tmm4, [{x} + {line} + 1024]
            tdpbf16ps tmm0, tmm4, tmm6
            ",
            $between!(2),
            "tdpbf16ps tmm1, tmm4, tmm7
            tileloadd tmm5, [{lower_x} + {line} + 1024]
            tdpbf16ps tmm2, tmm5, tmm6
            tdpbf16ps tmm3, tmm5, tmm7
            ",
            $between!(3),
            "tileloadd tmm6, [{weights} + {line}]
            tdpbf16ps tmm0, tmm4, tmm6
            tileloadd tmm7, [{weights} + {line} + 1024]
            tdpbf16ps tmm1, tmm4, tmm7
            tdpbf16ps tmm2, tmm5, tmm6
            ",
            $between!(4),
            "tdpbf16ps tmm3, tmm5, tmm7
            tileloadd tmm4, [{x} + {line}]
            tdpbf16ps tmm0, tmm4, tmm6
            tdpbf16ps tmm1, tmm4, tmm7
            ",
            $between!(5),
            "tileloadd tmm5, [{lower_x} + {line}]
            tdpbf16ps tmm2, tmm5, tmm6
            tdpbf16ps tmm3, tmm5, tmm7
            tileloadd tmm4, [{x} + {line} + 2048]
            tdpbf16ps tmm0, tmm4, tmm6
            ",
            $between!(6),
            "tdpbf16ps tmm1, tmm4, tmm7
            tileloadd tmm5, [{lower_x} + {line} + 2048]
            tdpbf16ps tmm2, tmm5, tmm6
            tdpbf16ps tmm3, tmm5, tmm7
            ",
            $between!(7),
        )
    };
}

/// As [`step_of_two`], where there are no lower rows.
macro_rules! step_of_one {
    ($between:ident) => {
        concat!(
            "tileloadd tmm4, [{x} + {line}]
            tileloadd tmm6, [{weights} + {line} + 4096]
            tdpbf16ps tmm0, tmm4, tmm6
            ",
            $between!(0),
            "tileloadd tmm7, [{weights} + {line} + 5120]
            tdpbf16ps tmm1, tmm4, tmm7
            tileloadd tmm6, [{weights} + {line} + 2048]
            tdpbf16ps tmm0, tmm4, tmm6
            ",
            $between!(1),
            "tileloadd tmm7, [{weights} + {line} + 3072]
            tdpbf16ps tmm1, tmm4, tmm7
            ",
            $between!(2),
            "tileloadd tmm5, [{x} + {line} + 1024]
            tdpbf16ps tmm0, tmm5, tmm6
            tdpbf16ps tmm1, tmm5, tmm7
            ",
            $between!(3),
            "tileloadd tmm6, [{weights} + {line}]
            tdpbf16ps tmm0, tmm5, tmm6
            ",
            $between!(4),
            "tileloadd tmm7, [{weights} + {line} + 1024]
            tdpbf16ps tmm1, tmm5, tmm7
            tdpbf16ps tmm0, tmm4, tmm6
            ",
            $between!(5),
            "tdpbf16ps tmm1, tmm4, tmm7
            ",
            $between!(6),
            "tileloadd tmm4, [{x} + {line} + 2048]
            tdpbf16ps tmm0, tmm4, tmm6
            tdpbf16ps tmm1, tmm4, tmm7
            ",
            $between!(7),
        )
    };
}

/// Parts of all weights are kept, for the rows to come.
macro_rules! keep {
    () => {
        "mov {weights}, {split}
        add {split}, 6144"
    };
}

/// Parts of two steps, that which is multiplied and the next one, change places in the first-level cache.
macro_rules! swap {
    () => {
        "xchg {weights}, {split}"
    };
}

/// The loop over all steps of a [`Pass`].
macro_rules! multiply {
    ($step:ident, $between:ident, $advance:ident, $pass:expr) => {
        asm!(
            "mov {x:e}, {HALF}",
            "vpbroadcastd zmm21, {x:e}",
            "mov {x:e}, {UPPER}",
            "vpbroadcastd zmm22, {x:e}",
            "mov {x}, [{pass} + {SUMS}]",
            "mov {steps}, [{pass} + {SUMS_STRIDE}]",
            "tileloadd tmm0, [{x} + {steps}]",
            "tileloadd tmm1, [{x} + {steps} + 64]",
            "mov {x}, [{pass} + {LOWER_SUMS}]",
            "tileloadd tmm2, [{x} + {steps}]",
            "tileloadd tmm3, [{x} + {steps} + 64]",
            "mov {x}, [{pass} + {X}]",
            "mov {lower_x}, [{pass} + {LOWER_X}]",
            "mov {weights}, [{pass} + {WEIGHTS}]",
            "lea {split}, [{weights} + 6144]",
            "mov {source}, [{pass} + {SOURCE}]",
            "mov {block}, [{pass} + {BLOCK}]",
            "mov {ahead}, [{pass} + {AHEAD}]",
            "mov {ahead_step}, [{pass} + {AHEAD_STEP}]",
            "mov {steps}, [{pass} + {STEPS}]",
            "2:",
            // After the last step there may be nothing to read.
            "cmp {steps}, 1",
            "cmove {source}, [{pass} + {FIRST}]",
            $step!($between),
            "add {x}, 3072",
            "add {lower_x}, 3072",
            $advance!(),
            "add {source}, 2048",
            "dec {steps}",
            "jnz 2b",
            "mov {x}, [{pass} + {OUT}]",
            "mov {steps}, [{pass} + {OUT_STRIDE}]",
            "mov {lower_x}, [{pass} + {LOWER_OUT}]",
            "tilestored [{lower_x} + {steps}], tmm2",
            "tilestored [{lower_x} + {steps} + 64], tmm3",
            "tilestored [{x} + {steps}], tmm0",
            "tilestored [{x} + {steps} + 64], tmm1",
            pass = in(reg) std::ptr::from_ref::<Pass>($pass),
            line = in(reg) LINE,
            x = out(reg) _,
            lower_x = out(reg) _,
            weights = out(reg) _,
            split = out(reg) _,
            source = out(reg) _,
            block = out(reg) _,
            ahead = out(reg) _,
            ahead_step = out(reg) _,
            steps = out(reg) _,
            HALF = const HALF,
            UPPER = const UPPER,
            SUMS = const offset_of!(Pass, sums),
            LOWER_SUMS = const offset_of!(Pass, lower_sums),
            SUMS_STRIDE = const offset_of!(Pass, sums_stride),
            X = const offset_of!(Pass, x),
            LOWER_X = const offset_of!(Pass, lower_x),
            WEIGHTS = const offset_of!(Pass, weights),
            STEPS = const offset_of!(Pass, steps),
            SOURCE = const offset_of!(Pass, source),
            FIRST = const offset_of!(Pass, first),
            BLOCK = const offset_of!(Pass, block),
            AHEAD = const offset_of!(Pass, ahead),
            AHEAD_STEP = const offset_of!(Pass, ahead_step),
            OUT = const offset_of!(Pass, out),
            LOWER_OUT = const offset_of!(Pass, lower_out),
            OUT_STRIDE = const offset_of!(Pass, out_stride),
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        )
    };
}

/// What a pass does with the weights.
#[derive(Clone, Copy)]
pub enum Splitting {
    /// They are split for these rows alone.
    ForThese,
    /// They are split, and kept for the passes to come, as there are more than 32 rows.
    ForAll,
    /// A pass before has split them.
    Done,
}

impl Pass {
    /// Adds the products of all steps to the sums.
    ///
    /// # Safety
    /// All pointers hold for as many rows as tiles are configured for, and for all steps; this is AVX-512 with tiles.
    #[inline(always)]
    pub unsafe fn run(&self, has_lower: bool, splitting: Splitting) {
        // SAFETY: the caller's promises.
        unsafe {
            match (has_lower, splitting) {
                (true, Splitting::ForThese) => multiply!(step_of_two, ask_and_split, swap, self),
                (false, Splitting::ForThese) => multiply!(step_of_one, ask_and_split, swap, self),
                (_, Splitting::ForAll) => multiply!(step_of_two, ask_and_split, keep, self),
                (true, Splitting::Done) => multiply!(step_of_two, ask, keep, self),
                (false, Splitting::Done) => multiply!(step_of_one, ask, keep, self),
            }
        }
    }
}
