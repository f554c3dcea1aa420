//! The operators `Product` and `Product8`: a linear layer and what follows it, spread over threads.

use std::marker::PhantomData;
use std::ops::Range;

use ort::operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput};
use ort::value::TensorElementType;

use super::{Observations, Outcome, Packing, Shared, check, missing, spread, tensor, with_scratch};
use crate::kernels::product8::QuantizedRows;
use crate::kernels::rows::{AddAndNormalize, Norm};
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, product, product8, run};

/// Rows that one thread takes through a whole product: more save reading the weights, fewer leave less for the last-level
/// cache to keep.
const ROW_BLOCK: usize = 192;
/// Fewer rows than this per thread, and the threads share the columns instead.
const ROWS_WORTH_SPLITTING: usize = 24;

/// A kind of weights: how its operator is called, what it reads before the residual, and how it multiplies.
pub trait Form: Send + Sync + 'static {
    const NAME: &'static str;
    /// Types of the inputs after x and before residual, gamma and beta: those that must be there, those that may.
    const WEIGHTS: (&'static [TensorElementType], &'static [TensorElementType]);
    type Weights<'a>: Copy + Sync;
    /// Rows of x, ready to be multiplied.
    type Rows<'a>: Copy + Sync;

    /// Reads the weights for an input of `k` columns, and answers them with the number of output columns.
    fn with_weights<T>(
        context: &ComputeContext,
        k: usize,
        work: impl FnOnce(Self::Weights<'_>, usize) -> Outcome<T>,
    ) -> Outcome<T>;

    /// # Safety
    /// This CPU has `isa`, and `x` holds whole rows.
    unsafe fn rows<'a>(
        isa: Isa,
        x: &'a [f32],
        weights: Self::Weights<'_>,
        memory: &'a mut QuantizedRows,
    ) -> Self::Rows<'a>;

    /// # Safety
    /// This CPU has `isa`; `out` has as many rows as were given, and nobody else touches the columns of `blocks`.
    unsafe fn multiply(
        isa: Isa,
        rows: Self::Rows<'_>,
        weights: Self::Weights<'_>,
        blocks: Range<usize>,
        gelu: bool,
        out: *mut f32,
    );
}

/// `f32` as published.
pub struct Floats;
/// Signed bytes with a scale for each column.
pub struct Bytes;

impl Form for Floats {
    const NAME: &'static str = "Product";
    const WEIGHTS: (&'static [TensorElementType], &'static [TensorElementType]) =
        (&[TensorElementType::Float32, TensorElementType::Float32], &[]);
    type Weights<'a> = product::Weights<'a>;
    type Rows<'a> = &'a [f32];

    fn with_weights<T>(
        context: &ComputeContext,
        k: usize,
        work: impl FnOnce(Self::Weights<'_>, usize) -> Outcome<T>,
    ) -> Outcome<T> {
        let (values, bias) = (context.input(1)?, context.input(2)?);
        let values = tensor::<f32>(&values)?.ok_or_else(|| missing("weight"))?;
        let bias = tensor::<f32>(&bias)?.ok_or_else(|| missing("bias"))?;
        let weights = product::Weights {
            k,
            n: bias.values.len(),
            values: values.values,
            bias: bias.values,
        };
        check(weights.is_consistent(), UNFITTING_WEIGHTS)?;
        work(weights, weights.n)
    }

    unsafe fn rows<'a>(
        _: Isa,
        x: &'a [f32],
        _: Self::Weights<'_>,
        _: &'a mut QuantizedRows,
    ) -> Self::Rows<'a> {
        x
    }

    unsafe fn multiply(
        isa: Isa,
        x: Self::Rows<'_>,
        weights: Self::Weights<'_>,
        blocks: Range<usize>,
        gelu: bool,
        out: *mut f32,
    ) {
        let multiply = product::Multiply {
            x,
            weights,
            blocks,
            gelu,
            out,
        };
        // SAFETY: the caller's promise.
        unsafe { run(isa, multiply) };
    }
}

impl Form for Bytes {
    const NAME: &'static str = "Product8";
    const WEIGHTS: (&'static [TensorElementType], &'static [TensorElementType]) = (
        &[TensorElementType::Int8, TensorElementType::Float32],
        &[TensorElementType::Int32, TensorElementType::Float32],
    );
    type Weights<'a> = product8::Weights<'a>;
    type Rows<'a> = &'a QuantizedRows;

    fn with_weights<T>(
        context: &ComputeContext,
        k: usize,
        work: impl FnOnce(Self::Weights<'_>, usize) -> Outcome<T>,
    ) -> Outcome<T> {
        let (values, columns) = (context.input(1)?, context.input(2)?);
        let (outliers, outlier_weights) = (context.input(3)?, context.input(4)?);
        let values = tensor::<i8>(&values)?.ok_or_else(|| missing("weight"))?;
        let columns = tensor::<f32>(&columns)?.ok_or_else(|| missing("columns"))?;
        let weights = product8::Weights {
            k,
            n: columns.shape.last().copied().unwrap_or(0),
            values: values.values,
            columns: columns.values,
            outliers: tensor::<i32>(&outliers)?.map_or(&[][..], |outliers| outliers.values),
            outlier_weights: tensor::<f32>(&outlier_weights)?.map_or(&[][..], |weights| weights.values),
        };
        check(weights.is_consistent(), UNFITTING_WEIGHTS)?;
        work(weights, weights.n)
    }

    unsafe fn rows<'a>(
        isa: Isa,
        x: &'a [f32],
        weights: Self::Weights<'_>,
        memory: &'a mut QuantizedRows,
    ) -> Self::Rows<'a> {
        let quantize = product8::Quantize {
            x,
            weights,
            to: memory,
        };
        // SAFETY: the caller's promise.
        unsafe { run(isa, quantize) };
        memory
    }

    unsafe fn multiply(
        isa: Isa,
        rows: Self::Rows<'_>,
        weights: Self::Weights<'_>,
        blocks: Range<usize>,
        gelu: bool,
        out: *mut f32,
    ) {
        let multiply = product8::Multiply {
            rows,
            weights,
            blocks,
            gelu,
            out,
        };
        // SAFETY: the caller's promise.
        unsafe { run(isa, multiply) };
    }
}

const UNFITTING_WEIGHTS: &str = "The weights of a product do not fit its input";

pub struct ProductOperator<F> {
    isa: Isa,
    threads: usize,
    packing: Packing,
    observations: Option<Observations>,
    form: PhantomData<F>,
}

impl<F> ProductOperator<F> {
    pub fn new(isa: Isa, threads: usize, packing: &Packing, observations: Option<Observations>) -> Self {
        Self {
            isa,
            threads,
            packing: packing.clone(),
            observations,
            form: PhantomData,
        }
    }
}

pub struct ProductKernel<F> {
    isa: Isa,
    threads: usize,
    packing: Packing,
    gelu: bool,
    epsilon: f32,
    observed: Option<(String, Observations)>,
    form: PhantomData<F>,
}

impl<F: Form> Operator for ProductOperator<F> {
    type Kernel<'attr> = ProductKernel<F>;

    fn name(&self) -> &str {
        F::NAME
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let (required, optional) = F::WEIGHTS;
        let x_and_weights = [TensorElementType::Float32]
            .into_iter()
            .chain(required.iter().copied());
        let rest = optional.iter().copied().chain([TensorElementType::Float32; 3]);
        x_and_weights
            .map(OperatorInput::required)
            .chain(rest.map(OperatorInput::optional))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> Outcome<ProductKernel<F>> {
        let observed = match &self.observations {
            Some(observations) => Some((context.node_name()?, observations.clone())),
            None => None,
        };
        Ok(ProductKernel {
            isa: self.isa,
            threads: self.threads,
            packing: self.packing.clone(),
            gelu: context.get::<i64>("gelu").unwrap_or_default() != 0,
            epsilon: context.get::<f32>("epsilon").unwrap_or_default(),
            observed,
            form: PhantomData,
        })
    }
}

impl<F: Form> Kernel for ProductKernel<F> {
    fn compute(&mut self, context: &ComputeContext) -> Outcome<()> {
        let x = context.input(0)?;
        let x = tensor::<f32>(&x)?.ok_or_else(|| missing("x"))?;
        let k = x.shape.last().copied().unwrap_or(0);
        F::with_weights(context, k, |weights, n| {
            if let Some((node, observations)) = &self.observed {
                observations.note(node, x.values, k);
            }
            let all = x.values.len() / k;
            let rows = self.packing.rows(all)?;
            let x_values = x.values.get(..rows * k).unwrap_or_default();
            let first = 1 + F::WEIGHTS.0.len() + F::WEIGHTS.1.len();
            let rest = (first..context.num_inputs()?)
                .map(|i| context.input(i))
                .collect::<Outcome<Vec<_>>>()?;
            let rest = rest.iter().map(tensor::<f32>).collect::<Outcome<Vec<_>>>()?;
            let residual = match rest.as_slice() {
                [Some(residual), Some(gamma), Some(beta)] => {
                    let norm = Norm {
                        gamma: gamma.values,
                        beta: beta.values,
                        epsilon: self.epsilon,
                    };
                    let fits = norm.gamma.len() == n && norm.beta.len() == n;
                    check(
                        fits && residual.values.len() == all * n,
                        "The residual of a product does not fit",
                    )?;
                    Some((residual.values, norm))
                }
                _ => None,
            };
            let mut shape: Vec<i64> = x.shape.iter().map(|&dim| dim as i64).collect();
            if let Some(last) = shape.last_mut() {
                *last = n as i64;
            }
            let mut out = context.output(0, shape)?.ok_or_else(|| missing("output"))?;
            let (_, out) = out.try_extract_tensor_mut::<f32>()?;
            let out = out.get_mut(..rows * n).unwrap_or_default();
            if self.threads <= 1 || rows >= self.threads * ROWS_WORTH_SPLITTING {
                self.by_rows(context, x_values, [rows, k, n], weights, residual, out)
            } else {
                self.by_columns(context, x_values, n, weights, residual, out)
            }
        })
    }
}

impl<F: Form> ProductKernel<F> {
    /// Each task takes its own rows through everything.
    fn by_rows(
        &self,
        context: &ComputeContext,
        x: &[f32],
        [rows, k, n]: [usize; 3],
        weights: F::Weights<'_>,
        residual: Option<(&[f32], Norm<'_>)>,
        out: &mut [f32],
    ) -> Outcome<()> {
        let shared = Shared(out.as_mut_ptr());
        let block = ROW_BLOCK
            .min(rows.div_ceil(self.threads).next_multiple_of(6))
            .max(1);
        spread(context, self.threads, rows.div_ceil(block), |task| {
            let range = task * block..((task + 1) * block).min(rows);
            let x = x.get(range.start * k..range.end * k).unwrap_or_default();
            let range = range.start * n..range.end * n;
            // SAFETY: each task has its own rows.
            let out = unsafe { shared.part(range.clone()) };
            with_scratch(|scratch| {
                // SAFETY: the instruction set was detected; the weights are consistent; `out` holds the rows of x.
                unsafe {
                    let rows = F::rows(self.isa, x, weights, &mut scratch.rows);
                    F::multiply(self.isa, rows, weights, 0..n / LANES, self.gelu, out.as_mut_ptr());
                    if let Some((residual, norm)) = residual {
                        let residual = residual.get(range).unwrap_or_default();
                        run(self.isa, AddAndNormalize { out, residual, norm });
                    }
                }
            });
            Ok(())
        })
    }

    /// Each task takes all rows through its own columns.
    fn by_columns(
        &self,
        context: &ComputeContext,
        x: &[f32],
        n: usize,
        weights: F::Weights<'_>,
        residual: Option<(&[f32], Norm<'_>)>,
        out: &mut [f32],
    ) -> Outcome<()> {
        let shared = Shared(out.as_mut_ptr());
        let all = n / LANES;
        let share = all.div_ceil(self.threads).next_multiple_of(4);
        with_scratch(|scratch| {
            // SAFETY: the instruction set was detected; the weights are consistent.
            let rows = unsafe { F::rows(self.isa, x, weights, &mut scratch.rows) };
            spread(context, self.threads, all.div_ceil(share), |task| {
                let blocks = task * share..((task + 1) * share).min(all);
                // SAFETY: as above, and each task has its own columns.
                unsafe { F::multiply(self.isa, rows, weights, blocks, self.gelu, shared.start()) };
                Ok(())
            })
        })?;
        if let Some((residual, norm)) = residual {
            // SAFETY: as above; all tasks have ended.
            unsafe { run(self.isa, AddAndNormalize { out, residual, norm }) };
        }
        Ok(())
    }
}
