//! The `f32` product on tiles (AMX-BF16), whose instructions multiply numbers of eight significant bits and add in `f32`.
//!
//! Both sides are sums of three such numbers: [`parts`](super::parts). Of the nine products of parts six are computed. Those left
//! out are together less than half of the last place of the whole product, so the result is as good as that of `f32`
//! instructions, and comes up to twice as fast. The idea: Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial
//! Intelligence Datatype For Higher-Precision Computations", 2019.

use std::arch::asm;
use std::cell::RefCell;
use std::collections::TryReserveError;
use std::mem::offset_of;

use super::parts::{DEPTH, HALF, LINES_OF_ROWS, Line, Parts, UPPER};
use super::{Configured, SIDE};
use crate::kernels::product::Multiply;
use crate::kernels::simd::{LANES, Simd, gelu};
use crate::kernels::tiling::LINE;
use crate::kernels::x86::Avx512;

/// Steps after which the other rows come first: the parts of 192 rows, and of two blocks, stay in the second-level cache.
const MAX_STEPS: usize = 768 / DEPTH;
/// Requests for each block's weights to come, in each step.
const REQUESTS: usize = 16;

thread_local! {
    static PARTS_OF_THREAD: RefCell<Parts> = RefCell::default();
}

/// Makes room for the parts of so many rows of `k` columns on this thread.
///
/// # Errors
/// Where there is no memory.
pub fn reserve(rows: usize, k: usize) -> Result<(), TryReserveError> {
    PARTS_OF_THREAD.with_borrow_mut(|parts| parts.reserve(rows, (k / DEPTH).min(MAX_STEPS)))
}

/// Does `work` as far as it is whole pairs of blocks; answers from which block on nothing was done. That is all of them
/// where the depth does not suit, or without the room that [`reserve`] makes.
///
/// # Safety
/// As [`Multiply`], where tiles [are available](super::are_available) and AVX-512.
#[inline(always)]
pub unsafe fn multiply(work: &Multiply<'_>) -> usize {
    let k = work.weights.k;
    let rows = work.x.len() / k;
    let blocks = work.blocks.clone();
    let end = blocks.end - blocks.len() % 2;
    let all = k / DEPTH;
    if !k.is_multiple_of(DEPTH) || rows == 0 || end == blocks.start {
        return blocks.start;
    }
    // Taken and put back, as a closure would not have the features of this function.
    let mut parts = PARTS_OF_THREAD.take();
    if parts.reserve(rows, all.min(MAX_STEPS)).is_err() {
        return blocks.start;
    }
    for from in (0..all).step_by(MAX_STEPS) {
        let steps = (all - from).min(MAX_STEPS);
        // SAFETY: there is room for the parts; rows, blocks and steps are within bounds, and tiles exist.
        unsafe {
            parts.split_rows(work.x, k, from, steps);
            for block in (blocks.start..end).step_by(2) {
                let next = if block + 2 < end {
                    (block + 2, from)
                } else {
                    (blocks.start, from + steps)
                };
                let column = Column {
                    work,
                    block,
                    from,
                    steps,
                    next,
                };
                column.multiply(&mut parts);
            }
        }
    }
    PARTS_OF_THREAD.set(parts);
    end
}

/// What the loop over a pair of tiles reads from memory, as registers are few.
#[repr(C)]
struct Pass {
    sums: *const f32,
    lower_sums: *const f32,
    sums_stride: usize,
    x: *const Line,
    lower_x: *const Line,
    weights: *mut Line,
    steps: usize,
    /// Weights of the second step of the first of both blocks, to be split.
    source: *const u8,
    /// Weights of its first step.
    first: *const u8,
    /// Bytes from one block to the next.
    block: usize,
    ahead: *const u8,
    ahead_step: usize,
    out: *mut f32,
    lower_out: *mut f32,
    out_stride: usize,
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
            vpaddd zmm18, zmm16, zmm21
            vpaddd zmm19, zmm17, zmm21
            vpandd zmm20, zmm18, zmm22
            vpandd zmm19, zmm19, zmm22
            vpsrld zmm18, zmm18, 16
            vsubps zmm16, zmm16, zmm20
            vsubps zmm17, zmm17, zmm19
            vpord zmm18, zmm18, zmm19
            vmovdqa64 [{split} + 1024*", $block, " + 64*(2*", $place, " + ", $nth, ")], zmm18
            vpaddd zmm18, zmm16, zmm21
            vpaddd zmm19, zmm17, zmm21
            vpandd zmm20, zmm18, zmm22
            vpandd zmm19, zmm19, zmm22
            vpsrld zmm18, zmm18, 16
            vsubps zmm16, zmm16, zmm20
            vsubps zmm17, zmm17, zmm19
            vpord zmm18, zmm18, zmm19
            vmovdqa64 [{split} + 2048 + 1024*", $block, " + 64*(2*", $place, " + ", $nth, ")], zmm18
            vpsrld zmm16, zmm16, 16
            vpord zmm16, zmm16, zmm17
            vmovdqa64 [{split} + 4096 + 1024*", $block, " + 64*(2*", $place, " + ", $nth, ")], zmm16
            "
        )
    };
}

/// All products of a step, and between them eight times what `$between` says: high and low, high and middle, middle twice,
/// middle and high, high twice, low and high. Neighbours share a part, so that each loads only the other.
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
            pass = in(reg) &raw const $pass,
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

/// All rows of two blocks, some steps deep.
struct Column<'a> {
    work: &'a Multiply<'a>,
    block: usize,
    from: usize,
    steps: usize,
    /// The block and step whose weights come next.
    next: (usize, usize),
}

impl Column<'_> {
    #[inline(always)]
    unsafe fn multiply(&self, parts: &mut Parts) {
        let Multiply {
            x,
            weights,
            gelu: with_gelu,
            out,
            ..
        } = *self.work;
        let rows = x.len() / weights.k;
        // SAFETY: the caller has room for the parts, and tiles.
        unsafe {
            // The other steps are split while the first rows are at the step before.
            let second = self.weights(self.block + 1, self.from);
            parts.split_weights([self.weights(self.block, self.from), second]);
            let whole = rows / (2 * SIDE);
            if whole > 0 {
                let _configured = Configured::new(SIDE, SIDE);
                for pair in 0..whole {
                    self.multiply_pair(pair, parts);
                }
            }
            let rest = rows % (2 * SIDE);
            if rest > 0 {
                let upper = rest.min(SIDE);
                let lower = if rest > SIDE { rest - SIDE } else { upper };
                let _configured = Configured::new(upper, lower);
                self.multiply_pair(whole, parts);
            }
            if with_gelu && (self.from + self.steps) * DEPTH == weights.k {
                for row in 0..rows {
                    for b in 0..2 {
                        let y = out.add(row * weights.n + (self.block + b) * LANES);
                        Avx512::store(y, gelu::<Avx512>(Avx512::load(y)));
                    }
                }
            }
        }
    }

    /// Where the weights of a step are.
    fn weights(&self, block: usize, step: usize) -> *const u8 {
        let first = self.work.weights.values.as_ptr().cast::<u8>();
        first.wrapping_add((block * self.work.weights.k + step * DEPTH) * LINE)
    }

    /// Multiplies up to 32 rows. The first ones split the weights as well.
    #[inline(always)]
    unsafe fn multiply_pair(&self, pair: usize, parts: &mut Parts) {
        let Multiply { x, weights, out, .. } = *self.work;
        let rows = x.len() / weights.k;
        let first = pair * 2 * SIDE;
        let has_lower = rows - first > SIDE;
        let is_only = rows <= 2 * SIDE;
        // All rows together ask for the next weights once.
        let ahead_step = LINE.div_ceil(rows.div_ceil(2 * SIDE));
        let ahead = self.weights(self.next.0, self.next.1);
        // SAFETY: rows and blocks are within bounds, and so are their parts.
        unsafe {
            let x = parts.rows.as_ptr().add(first / SIDE * self.steps * LINES_OF_ROWS);
            let out = out.add(first * weights.n + self.block * LANES);
            let out_stride = weights.n * size_of::<f32>();
            // Where there are no lower rows, the lower tile is the upper one, which is stored later.
            let (lower_x, lower_out) = if has_lower {
                (x.add(self.steps * LINES_OF_ROWS), out.add(SIDE * weights.n))
            } else {
                (x, out)
            };
            // Sums begin with the bias, one row for all, or where the steps before ended.
            let bias = weights.bias.as_ptr().add(self.block * LANES);
            let (sums, lower_sums, sums_stride) = if self.from == 0 {
                (bias, bias, 0)
            } else {
                (out.cast_const(), lower_out.cast_const(), out_stride)
            };
            let pass = Pass {
                sums,
                lower_sums,
                sums_stride,
                x,
                lower_x,
                weights: parts.weights.as_mut_ptr(),
                steps: self.steps,
                source: self.weights(self.block, self.from + 1),
                first: self.weights(self.block, self.from),
                block: weights.k * LINE,
                ahead: ahead.wrapping_add(pair * self.steps * REQUESTS * ahead_step),
                ahead_step,
                out,
                lower_out,
                out_stride,
            };
            match (has_lower, pair) {
                (true, 0) if is_only => multiply!(step_of_two, ask_and_split, swap, pass),
                (false, 0) => multiply!(step_of_one, ask_and_split, swap, pass),
                (true, 0) => multiply!(step_of_two, ask_and_split, keep, pass),
                (true, _) => multiply!(step_of_two, ask, keep, pass),
                (false, _) => multiply!(step_of_one, ask, keep, pass),
            }
        }
    }
}
