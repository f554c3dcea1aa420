//! No kernel touches memory beyond what it is given: a model's weights may be the last bytes of a mapped file.
//!
//! On Linux memory ends behind each side and each result, so that reading or writing one more ends the process. Miri watches
//! every access instead, of the portable kernels or those of the features that it is told of, in fewer shapes.

use super::noise;
use crate::kernels::attention::{Attend, Bias, Scratch};
use crate::kernels::product8::{self, Quantize, QuantizeRow, QuantizedRows};
use crate::kernels::rows::{AddAndNormalize, Addend, Embed, Norm, Table};
use crate::kernels::similarity::Products;
use crate::kernels::{Isa, product, run};

/// Values behind which memory ends.
#[cfg(all(target_os = "linux", not(miri)))]
struct AtTheEnd<T> {
    map: *mut libc::c_void,
    bytes: usize,
    first: *mut T,
    len: usize,
}

#[cfg(all(target_os = "linux", not(miri)))]
impl<T: Copy> AtTheEnd<T> {
    fn new(values: &[T]) -> Self {
        // The largest page that such a processor has.
        const PAGE: usize = 65_536;
        let bytes = size_of_val(values).next_multiple_of(PAGE) + PAGE;
        // SAFETY: memory of our own, whose last page nobody may touch.
        unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let map = libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let end = map.byte_add(bytes - PAGE);
            assert_eq!(libc::mprotect(end, PAGE, libc::PROT_NONE), 0);
            let first = end.cast::<T>().sub(values.len());
            first.copy_from_nonoverlapping(values.as_ptr(), values.len());
            Self {
                map,
                bytes,
                first,
                len: values.len(),
            }
        }
    }

    fn values(&self) -> &[T] {
        // SAFETY: they were written above.
        unsafe { std::slice::from_raw_parts(self.first, self.len) }
    }

    fn values_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.len) }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
impl<T> Drop for AtTheEnd<T> {
    fn drop(&mut self) {
        // SAFETY: mapped above.
        unsafe { libc::munmap(self.map, self.bytes) };
    }
}

/// Values that Miri knows the end of, and sanitizers.
#[cfg(any(not(target_os = "linux"), miri))]
struct AtTheEnd<T>(Box<[T]>);

#[cfg(any(not(target_os = "linux"), miri))]
impl<T: Copy> AtTheEnd<T> {
    fn new(values: &[T]) -> Self {
        Self(values.into())
    }

    fn values(&self) -> &[T] {
        &self.0
    }

    fn values_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// Numbers of rows: whole tiles of each kernel, and what may be left of them.
fn heights() -> &'static [usize] {
    if cfg!(miri) {
        &[1, 3, 7]
    } else {
        &[1, 2, 3, 5, 6, 7, 12, 16, 17, 32, 33, 50, 64, 70]
    }
}

fn assert_written(out: &[f32], what: &str) {
    assert!(out.iter().all(|y| y.is_finite()), "{what}");
}

/// Fresh results, none of which is a number.
fn unwritten(len: usize) -> AtTheEnd<f32> {
    AtTheEnd::new(&vec![f32::NAN; len])
}

#[test]
fn a_float_product_stays_within_its_sides_and_its_result() {
    let shapes: &[(usize, usize)] = if cfg!(miri) {
        &[(5, 16), (32, 48)]
    } else {
        &[(32, 32), (768, 64), (800, 48), (40, 16), (1, 16)]
    };
    for &(k, n) in shapes {
        let values = AtTheEnd::new(&noise(2, k * n, 1.0));
        let bias = AtTheEnd::new(&noise(3, n, 1.0));
        let weights = product::Weights {
            k,
            n,
            values: values.values(),
            bias: bias.values(),
        };
        for &rows in heights() {
            let x = AtTheEnd::new(&noise(1, rows * k, 1.0));
            for isa in Isa::available() {
                let mut out = unwritten(rows * n);
                let multiply = product::Multiply {
                    x: x.values(),
                    weights,
                    blocks: 0..n / 16,
                    gelu: true,
                    out: out.values_mut().as_mut_ptr(),
                };
                // SAFETY: the instruction set is available and the lengths fit.
                unsafe { run(isa, multiply) };
                assert_written(out.values(), &format!("{isa:?}, {rows} x {k} x {n}"));
            }
        }
    }
}

#[test]
fn a_product_of_bytes_stays_within_its_sides_and_its_result() {
    let shapes: &[(usize, usize)] = if cfg!(miri) {
        &[(16, 16), (64, 48)]
    } else {
        &[(16, 16), (64, 32), (768, 64), (832, 48), (80, 112)]
    };
    for &(k, n) in shapes {
        let bytes: Vec<i8> = noise(2, k * n, 127.0).iter().map(|w| *w as i8).collect();
        let values = AtTheEnd::new(&bytes);
        let columns = AtTheEnd::new(&noise(3, 3 * n, 0.01));
        let outliers = AtTheEnd::new(&[0, k as i32 - 1]);
        let outlier_weights = AtTheEnd::new(&noise(4, 2 * n, 1.0));
        let weights = product8::Weights {
            k,
            n,
            values: values.values(),
            columns: columns.values(),
            outliers: outliers.values(),
            outlier_weights: outlier_weights.values(),
        };
        assert!(weights.is_consistent());
        for &rows in heights() {
            let x = AtTheEnd::new(&noise(1, rows * k, 1.0));
            for isa in Isa::available() {
                let mut quantized = QuantizedRows::default();
                let mut out = unwritten(rows * n);
                // SAFETY: the instruction set is available and the lengths fit.
                unsafe {
                    let quantize = Quantize {
                        x: x.values(),
                        weights,
                        to: &mut quantized,
                    };
                    run(isa, quantize);
                    let multiply = product8::Multiply {
                        rows: &quantized,
                        weights,
                        blocks: 0..n / 16,
                        gelu: true,
                        out: out.values_mut().as_mut_ptr(),
                    };
                    run(isa, multiply);
                }
                assert_written(out.values(), &format!("{isa:?}, {rows} x {k} x {n}"));
            }
        }
    }
}

#[test]
fn attention_stays_within_its_text_and_its_result() {
    let lengths: &[usize] = if cfg!(miri) {
        &[1, 18]
    } else {
        &[1, 2, 6, 15, 16, 17, 95, 96, 97, 130]
    };
    let (heads, head_size) = (2, 32);
    let hidden = heads * head_size;
    for &tokens in lengths {
        let x = AtTheEnd::new(&noise(1, tokens * 3 * hidden, 1.0));
        let position = AtTheEnd::new(&noise(2, tokens * tokens, 1.0));
        let mask = AtTheEnd::new(&vec![0.0; tokens]);
        let biases = [
            Bias {
                values: position.values(),
                stride: tokens,
            },
            Bias {
                values: mask.values(),
                stride: 0,
            },
        ];
        for isa in Isa::available() {
            let mut out = unwritten(tokens * hidden);
            let to = out.values_mut().as_mut_ptr();
            let mut scratch = Scratch::default();
            for head in 0..heads {
                // SAFETY: the instruction set is available, and the pointers stay inside x and out.
                unsafe {
                    let query = x.values().as_ptr().add(head * head_size);
                    let attend = Attend {
                        query,
                        key: query.add(hidden),
                        value: query.add(2 * hidden),
                        stride: 3 * hidden,
                        out: to.add(head * head_size),
                        out_stride: hidden,
                        tokens,
                        head_size,
                        scale: 0.2,
                        biases: &biases,
                        scratch: &mut scratch,
                    };
                    run(isa, attend);
                }
            }
            assert_written(out.values(), &format!("{isa:?}, {tokens} tokens"));
        }
    }
}

#[test]
fn token_rows_and_normalisation_stay_within_their_tables_and_their_result() {
    let (hidden, vocabulary, tokens) = (48, 3, 17);
    let numbers = AtTheEnd::new(&noise(1, vocabulary * hidden, 1.0));
    let bytes = AtTheEnd::new(&vec![200_u8; vocabulary * hidden]);
    let ranges = AtTheEnd::new(&noise(2, 2 * vocabulary, 1.0));
    let (gamma, beta) = (
        AtTheEnd::new(&noise(3, hidden, 1.0)),
        AtTheEnd::new(&noise(4, hidden, 1.0)),
    );
    let norm = Norm {
        gamma: gamma.values(),
        beta: beta.values(),
        epsilon: 1e-5,
    };
    let ids = AtTheEnd::new(&[0_i64, 2, 1, 2, 2, 1].repeat(3)[..tokens]);
    let addends = [Addend {
        ids: ids.values(),
        table: numbers.values(),
    }];
    let residual = AtTheEnd::new(&noise(5, tokens * hidden, 1.0));
    for isa in Isa::available() {
        for table in [
            Table::Floats(numbers.values()),
            Table::Bytes(bytes.values(), ranges.values()),
        ] {
            let mut out = unwritten(tokens * hidden);
            let embed = Embed {
                ids: ids.values(),
                table,
                addends: &addends,
                norm,
                out: out.values_mut(),
                first: 0,
            };
            // SAFETY: the instruction set is available, and ids and lengths fit.
            unsafe { run(isa, embed) };
            assert_written(out.values(), &format!("{isa:?}, {table:?}"));
            let normalize = AddAndNormalize {
                out: out.values_mut(),
                residual: residual.values(),
                norm,
            };
            // SAFETY: as above.
            unsafe { run(isa, normalize) };
            assert_written(out.values(), &format!("{isa:?}, normalised"));
        }
    }
}

#[test]
fn sums_and_bytes_of_one_vector_stay_within_it() {
    for length in [0, 1, 15, 16, 17, 48] {
        let (a, b) = (
            AtTheEnd::new(&noise(1, length, 1.0)),
            AtTheEnd::new(&noise(2, length, 1.0)),
        );
        let whole = length - length % 16;
        for isa in Isa::available() {
            let mut sums = (f32::NAN, f32::NAN);
            let products = Products {
                a: a.values(),
                b: b.values(),
                out: &mut sums,
            };
            // SAFETY: the instruction set is available.
            unsafe { run(isa, products) };
            assert_written(&[sums.0, sums.1], &format!("{isa:?}, {length} numbers"));
            let mut values = AtTheEnd::new(&vec![0_u8; whole]);
            let mut range = [f32::NAN; 2];
            let quantize = QuantizeRow {
                x: a.values(),
                values: values.values_mut(),
                range: &mut range,
            };
            // SAFETY: as above.
            unsafe { run(isa, quantize) };
            assert_written(&range, &format!("{isa:?}, {whole} bytes"));
        }
    }
}
