//! The encoder's parts as ONNX Runtime operators: domain, names, inputs, and how the work is spread over threads.
//!
//! | operator | inputs | attributes |
//! |---|---|---|
//! | `Product` | x `f32 [.., k]`, weight `i8 [n/16, k/4, 16, 4]`, columns `f32 [3, n]`, outliers `i32 [o]`, outlier_weights `f32 [o, n]`, residual `f32 [.., n]`, gamma, beta `f32 [n]`; all after columns optional | gelu, epsilon |
//! | `Attention` | projections `f32 [batch, tokens, 3 hidden]`, up to three biases that broadcast to `[batch, heads, tokens, tokens]` | head_size, scale |
//! | `Embed` | ids `i64 [batch, tokens]`, table `u8 [vocabulary, hidden]`, ranges `f32 [vocabulary, 2]`, gamma, beta `f32 [hidden]`, then up to three pairs of ids and `f32` table | epsilon |

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
};
use ort::session::builder::SessionBuilder;

use ort::value::{PrimitiveTensorElementType, TensorElementType, ValueRef};

use crate::error::{Context, ErrorKind, Result};
use crate::kernels::attention::{self, Attend, Bias};
use crate::kernels::product::{Multiply, Quantize, QuantizedRows, Weights};
use crate::kernels::rows::{AddAndNormalize, Addend, Embed, Norm};
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, run};

/// The domain that the operators live in.
pub const DOMAIN: &str = "sentence_embedder";

/// Rows that one thread takes through a whole product: their bytes and results stay in the second-level cache.
const ROW_BLOCK: usize = 96;
/// Fewer rows than this per thread, and the threads share the columns instead.
const ROWS_WORTH_SPLITTING: usize = 24;

type Outcome<T> = std::result::Result<T, ort::Error>;

/// Makes the operators known to sessions of this builder; `threads` is the number of threads inside one operator.
///
/// # Errors
/// `Inference` when the runtime refuses them.
pub fn register(builder: SessionBuilder, threads: usize) -> Result<SessionBuilder> {
    register_with(builder, threads, None)
}

/// As [`register`], and each product notes in `observations` what it was given.
///
/// # Errors
/// `Inference` when the runtime refuses them.
pub fn register_observed(
    builder: SessionBuilder,
    threads: usize,
    observations: &Observations,
) -> Result<SessionBuilder> {
    register_with(builder, threads, Some(observations.clone()))
}

/// The largest magnitude that each input column of each product had, by the name of the product's node.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<Mutex<HashMap<String, Vec<f32>>>>);

impl Observations {
    /// Takes out what was noted for the product called `node`.
    #[must_use]
    pub fn take(&self, node: &str) -> Option<Vec<f32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(node)
    }

    fn note(&self, node: &str, x: &[f32], k: usize) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let largest = all.entry(node.to_owned()).or_insert_with(|| vec![0.0; k]);
        for row in x.chunks_exact(k) {
            for (largest, x) in largest.iter_mut().zip(row) {
                *largest = largest.max(x.abs());
            }
        }
    }
}

fn register_with(
    builder: SessionBuilder,
    threads: usize,
    observations: Option<Observations>,
) -> Result<SessionBuilder> {
    let failed = || "Cannot register the operators of sentence-embedder";
    let isa = Isa::detect();
    let domain = OperatorDomain::new(DOMAIN)
        .and_then(|domain| {
            domain.add(ProductOperator {
                isa,
                threads,
                observations,
            })
        })
        .and_then(|domain| domain.add(AttentionOperator { isa, threads }))
        .and_then(|domain| domain.add(EmbedOperator { isa }))
        .context(ErrorKind::Inference, failed)?;
    builder
        .with_operators(domain)
        .map_err(ort::Error::<()>::from)
        .context(ErrorKind::Inference, failed)
}

/// Memory that a thread keeps between calls.
#[derive(Default)]
struct Scratch {
    rows: QuantizedRows,
    attention: attention::Scratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's memory; a nested loan gets fresh memory instead of a panic.
fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH
        .with(|cell| {
            cell.try_borrow_mut()
                .map(|mut scratch| std::mem::take(&mut *scratch))
        })
        .unwrap_or_default();
    let answer = work(&mut scratch);
    SCRATCH.with(|cell| {
        if let Ok(mut place) = cell.try_borrow_mut() {
            *place = scratch;
        }
    });
    answer
}

/// Runs `work` for 0..tasks, on the session's threads if there are several.
fn spread(
    context: &ComputeContext,
    threads: usize,
    tasks: usize,
    work: impl Fn(usize) + Sync + Send,
) -> Outcome<()> {
    if threads <= 1 || tasks <= 1 {
        (0..tasks).for_each(work);
        return Ok(());
    }
    context.par_for(tasks, tasks.min(threads), work)
}

/// An output that several tasks write to, each its own part.
#[derive(Clone, Copy)]
struct Shared(*mut f32);
// SAFETY: whoever uses the pointer keeps to a part that no other task touches.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The first element. A method, so that closures capture the whole and not the bare pointer.
    fn start(self) -> *mut f32 {
        self.0
    }

    /// A part of the output.
    ///
    /// # Safety
    /// The range is within the output, and no other task touches it meanwhile.
    unsafe fn part<'a>(self, range: Range<usize>) -> &'a mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(range.start), range.len()) }
    }
}

/// An input's shape and values.
struct Input<'a, T> {
    shape: Vec<usize>,
    values: &'a [T],
}

fn tensor<'a, T: PrimitiveTensorElementType>(
    value: &'a Option<ValueRef<'_>>,
) -> Outcome<Option<Input<'a, T>>> {
    let Some(value) = value else { return Ok(None) };
    let (shape, values) = value.try_extract_tensor::<T>()?;
    let shape = shape
        .iter()
        .map(|&dim| usize::try_from(dim))
        .collect::<std::result::Result<_, _>>();
    Ok(Some(Input {
        shape: shape.map_err(ort::Error::wrap)?,
        values,
    }))
}

fn check(fits: bool, what: &str) -> Outcome<()> {
    if fits {
        Ok(())
    } else {
        Err(ort::Error::new(what.to_owned()))
    }
}

fn missing(what: &str) -> ort::Error {
    ort::Error::new(format!("Missing input: {what}"))
}

struct ProductOperator {
    isa: Isa,
    threads: usize,
    observations: Option<Observations>,
}

struct ProductKernel {
    isa: Isa,
    threads: usize,
    gelu: bool,
    epsilon: f32,
    observed: Option<(String, Observations)>,
}

impl Operator for ProductOperator {
    type Kernel<'attr> = ProductKernel;

    fn name(&self) -> &str {
        "Product"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(TensorElementType::Float32),
            OperatorInput::required(TensorElementType::Int8),
            OperatorInput::required(TensorElementType::Float32),
            OperatorInput::optional(TensorElementType::Int32),
            OperatorInput::optional(TensorElementType::Float32),
            OperatorInput::optional(TensorElementType::Float32),
            OperatorInput::optional(TensorElementType::Float32),
            OperatorInput::optional(TensorElementType::Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> Outcome<ProductKernel> {
        let gelu = context.get::<i64>("gelu").unwrap_or_default() != 0;
        let epsilon = context.get::<f32>("epsilon").unwrap_or_default();
        let observed = match &self.observations {
            Some(observations) => Some((context.node_name()?, observations.clone())),
            None => None,
        };
        Ok(ProductKernel {
            isa: self.isa,
            threads: self.threads,
            gelu,
            epsilon,
            observed,
        })
    }
}

impl Kernel for ProductKernel {
    fn compute(&mut self, context: &ComputeContext) -> Outcome<()> {
        let (x, values, columns) = (context.input(0)?, context.input(1)?, context.input(2)?);
        let (outliers, outlier_weights) = (context.input(3)?, context.input(4)?);
        let (residual, gamma, beta) = (context.input(5)?, context.input(6)?, context.input(7)?);
        let x = tensor::<f32>(&x)?.ok_or_else(|| missing("x"))?;
        let values = tensor::<i8>(&values)?.ok_or_else(|| missing("weight"))?;
        let columns = tensor::<f32>(&columns)?.ok_or_else(|| missing("columns"))?;
        let outliers = tensor::<i32>(&outliers)?.map_or(&[][..], |outliers| outliers.values);
        let outlier_weights = tensor::<f32>(&outlier_weights)?.map_or(&[][..], |weights| weights.values);
        let (k, n) = (
            x.shape.last().copied().unwrap_or(0),
            columns.shape.last().copied().unwrap_or(0),
        );
        let weights = Weights {
            k,
            n,
            values: values.values,
            columns: columns.values,
            outliers,
            outlier_weights,
        };
        check(
            weights.is_consistent(),
            "The weights of a product do not fit its input",
        )?;
        if let Some((node, observations)) = &self.observed {
            observations.note(node, x.values, k);
        }
        let residual = tensor::<f32>(&residual)?.map(|residual| residual.values);
        let (gamma, beta) = (tensor::<f32>(&gamma)?, tensor::<f32>(&beta)?);
        let norm = match (residual, gamma, beta) {
            (Some(residual), Some(gamma), Some(beta)) => {
                let norm = Norm {
                    gamma: gamma.values,
                    beta: beta.values,
                    epsilon: self.epsilon,
                };
                let rows = x.values.len() / k;
                check(
                    norm.gamma.len() == n && norm.beta.len() == n && residual.len() == rows * n,
                    "The residual of a product does not fit",
                )?;
                Some((residual, norm))
            }
            _ => None,
        };
        let mut shape = x.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = n;
        }
        let shape: Vec<i64> = shape.iter().map(|&dim| dim as i64).collect();
        let mut out = context.output(0, shape)?.ok_or_else(|| missing("output"))?;
        let (_, out) = out.try_extract_tensor_mut::<f32>()?;
        let rows = x.values.len() / k;
        let shared = Shared(out.as_mut_ptr());
        if self.threads <= 1 || rows >= self.threads * ROWS_WORTH_SPLITTING {
            let block = ROW_BLOCK
                .min(rows.div_ceil(self.threads).next_multiple_of(6))
                .max(1);
            let work = |task: usize| {
                let range = task * block..((task + 1) * block).min(rows);
                let x = x.values.get(range.start * k..range.end * k).unwrap_or_default();
                // SAFETY: each task has its own rows.
                let out = unsafe { shared.part(range.start * n..range.end * n) };
                with_scratch(|scratch| {
                    // SAFETY: the instruction set was detected; the weights are consistent; `out` holds the rows of x.
                    unsafe {
                        run(
                            self.isa,
                            Quantize {
                                x,
                                weights,
                                to: &mut scratch.rows,
                            },
                        );
                        let multiply = Multiply {
                            rows: &scratch.rows,
                            weights,
                            blocks: 0..n / LANES,
                            gelu: self.gelu,
                            out: out.as_mut_ptr(),
                        };
                        run(self.isa, multiply);
                        if let Some((residual, norm)) = norm {
                            let residual = residual.get(range.start * n..range.end * n).unwrap_or_default();
                            run(self.isa, AddAndNormalize { out, residual, norm });
                        }
                    }
                });
            };
            return spread(context, self.threads, rows.div_ceil(block), work);
        }
        with_scratch(|scratch| {
            // SAFETY: as above.
            unsafe {
                run(
                    self.isa,
                    Quantize {
                        x: x.values,
                        weights,
                        to: &mut scratch.rows,
                    },
                )
            };
            let all = n / LANES;
            let share = all.div_ceil(self.threads).next_multiple_of(4);
            let rows: &QuantizedRows = &scratch.rows;
            let gelu = self.gelu;
            let isa = self.isa;
            spread(context, self.threads, all.div_ceil(share), |task| {
                let blocks = task * share..((task + 1) * share).min(all);
                // SAFETY: as above, and each task has its own columns.
                unsafe {
                    run(
                        isa,
                        Multiply {
                            rows,
                            weights,
                            blocks,
                            gelu,
                            out: shared.start(),
                        },
                    )
                };
            })
        })?;
        if let Some((residual, norm)) = norm {
            // SAFETY: as above; all tasks have ended.
            unsafe { run(self.isa, AddAndNormalize { out, residual, norm }) };
        }
        Ok(())
    }
}

struct AttentionOperator {
    isa: Isa,
    threads: usize,
}

struct AttentionKernel {
    isa: Isa,
    threads: usize,
    head_size: usize,
    scale: f32,
}

impl Operator for AttentionOperator {
    type Kernel<'attr> = AttentionKernel;

    fn name(&self) -> &str {
        "Attention"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let bias = || OperatorInput::optional(TensorElementType::Float32);
        [
            OperatorInput::required(TensorElementType::Float32),
            bias(),
            bias(),
            bias(),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> Outcome<AttentionKernel> {
        let head_size = context
            .get::<i64>("head_size")
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0);
        check(
            head_size > 0 && head_size.is_multiple_of(LANES),
            "head_size must be a positive multiple of 16",
        )?;
        let scale = context.get::<f32>("scale").ok_or_else(|| missing("scale"))?;
        Ok(AttentionKernel {
            isa: self.isa,
            threads: self.threads,
            head_size,
            scale,
        })
    }
}

impl Kernel for AttentionKernel {
    fn compute(&mut self, context: &ComputeContext) -> Outcome<()> {
        let x = context.input(0)?;
        let x = tensor::<f32>(&x)?.ok_or_else(|| missing("projections"))?;
        let [batch, tokens, width] = x.shape[..] else {
            return Err(ort::Error::new("Projections must have three axes"));
        };
        let hidden = width / 3;
        let head_size = self.head_size;
        check(
            width == 3 * hidden && hidden.is_multiple_of(head_size),
            "Projections must hold whole heads",
        )?;
        let heads = hidden / head_size;
        let values = (1..context.num_inputs()?)
            .map(|i| context.input(i))
            .collect::<Outcome<Vec<_>>>()?;
        let biases = values
            .iter()
            .filter_map(|value| tensor::<f32>(value).transpose())
            .collect::<Outcome<Vec<_>>>()?;
        let mut places = Vec::with_capacity(biases.len());
        for bias in &biases {
            let mut shape = [1; 4];
            check(bias.shape.len() <= 4, "A bias must have at most four axes")?;
            for (to, from) in shape.iter_mut().rev().zip(bias.shape.iter().rev()) {
                *to = *from;
            }
            let [b, h, q, k] = shape;
            let fits = |size: usize, all: usize| size == all || size == 1;
            check(
                fits(b, batch) && fits(h, heads) && fits(q, tokens) && k == tokens,
                "A bias does not fit the scores",
            )?;
            let stride = |size: usize, step: usize| if size == 1 { 0 } else { step };
            places.push((bias.values, stride(b, h * q * k), stride(h, q * k), stride(q, k)));
        }
        let mut out = context
            .output(0, [batch as i64, tokens as i64, hidden as i64])?
            .ok_or_else(|| missing("output"))?;
        let (_, out) = out.try_extract_tensor_mut::<f32>()?;
        let shared = Shared(out.as_mut_ptr());
        let (isa, scale) = (self.isa, self.scale);
        spread(context, self.threads, batch * heads, |task| {
            let (text, head) = (task / heads, task % heads);
            let mut list = [Bias {
                values: &[],
                stride: 0,
            }; 3];
            let mut count = 0;
            for (to, (values, b, h, stride)) in list.iter_mut().zip(&places) {
                let values = values.get(text * b + head * h..).unwrap_or_default();
                *to = Bias {
                    values,
                    stride: *stride,
                };
                count += 1;
            }
            with_scratch(|scratch| {
                let first = text * tokens;
                // SAFETY: the instruction set was detected; shapes were checked; each task has its own text and head.
                unsafe {
                    let query = x.values.as_ptr().add(first * width + head * head_size);
                    run(
                        isa,
                        Attend {
                            query,
                            key: query.add(hidden),
                            value: query.add(2 * hidden),
                            stride: width,
                            out: shared.start().add(first * hidden + head * head_size),
                            out_stride: hidden,
                            tokens,
                            head_size,
                            scale,
                            biases: list.get(..count).unwrap_or_default(),
                            scratch: &mut scratch.attention,
                        },
                    );
                }
            });
        })
    }
}

struct EmbedOperator {
    isa: Isa,
}

struct EmbedKernel {
    isa: Isa,
    epsilon: f32,
}

impl Operator for EmbedOperator {
    type Kernel<'attr> = EmbedKernel;

    fn name(&self) -> &str {
        "Embed"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let ids = || OperatorInput::optional(TensorElementType::Int64);
        let table = || OperatorInput::optional(TensorElementType::Float32);
        [
            OperatorInput::required(TensorElementType::Int64),
            OperatorInput::required(TensorElementType::Uint8),
            OperatorInput::required(TensorElementType::Float32),
            OperatorInput::required(TensorElementType::Float32),
            OperatorInput::required(TensorElementType::Float32),
            ids(),
            table(),
            ids(),
            table(),
            ids(),
            table(),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> Outcome<EmbedKernel> {
        Ok(EmbedKernel {
            isa: self.isa,
            epsilon: context.get::<f32>("epsilon").unwrap_or(1e-5),
        })
    }
}

impl Kernel for EmbedKernel {
    fn compute(&mut self, context: &ComputeContext) -> Outcome<()> {
        let inputs = (0..context.num_inputs()?)
            .map(|i| context.input(i))
            .collect::<Outcome<Vec<_>>>()?;
        let [ids, table, ranges, gamma, beta, others @ ..] = inputs.as_slice() else {
            return Err(missing("table"));
        };
        let ids = tensor::<i64>(ids)?.ok_or_else(|| missing("ids"))?;
        let table = tensor::<u8>(table)?.ok_or_else(|| missing("table"))?;
        let ranges = tensor::<f32>(ranges)?.ok_or_else(|| missing("ranges"))?;
        let gamma = tensor::<f32>(gamma)?.ok_or_else(|| missing("gamma"))?;
        let beta = tensor::<f32>(beta)?.ok_or_else(|| missing("beta"))?;
        let hidden = gamma.values.len();
        let rows = table.values.len() / hidden.max(1);
        let fits = hidden > 0
            && hidden.is_multiple_of(LANES)
            && beta.values.len() == hidden
            && ranges.values.len() == 2 * rows;
        check(fits, "The tables of an embedding do not fit each other")?;
        let known = |ids: &[i64], rows: usize| {
            ids.iter()
                .all(|&id| usize::try_from(id).is_ok_and(|id| id < rows))
        };
        check(known(ids.values, rows), "A token id is not in the vocabulary")?;
        let mut addends = Vec::new();
        for pair in others.chunks_exact(2) {
            let [more, table] = pair else { break };
            let (Some(more), Some(table)) = (tensor::<i64>(more)?, tensor::<f32>(table)?) else {
                break;
            };
            let divides = !more.values.is_empty() && ids.values.len().is_multiple_of(more.values.len());
            check(
                ids.values.is_empty() || divides,
                "Position or type ids do not fit the token ids",
            )?;
            check(
                known(more.values, table.values.len() / hidden),
                "A position or type is not in its table",
            )?;
            addends.push(Addend {
                ids: more.values,
                table: table.values,
            });
        }
        let shape: Vec<i64> = ids.shape.iter().chain([&hidden]).map(|&dim| dim as i64).collect();
        let mut out = context.output(0, shape)?.ok_or_else(|| missing("output"))?;
        let (_, out) = out.try_extract_tensor_mut::<f32>()?;
        let norm = Norm {
            gamma: gamma.values,
            beta: beta.values,
            epsilon: self.epsilon,
        };
        let task = Embed {
            ids: ids.values,
            table: table.values,
            ranges: ranges.values,
            addends: &addends,
            norm,
            out,
            first: 0,
        };
        // SAFETY: the instruction set was detected, and every id and length was checked.
        unsafe { run(self.isa, task) };
        Ok(())
    }
}
