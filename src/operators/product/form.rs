//! The two kinds of weights that a product may have: how each is read from its operator's inputs, and how it multiplies.

use std::collections::TryReserveError;
use std::ops::Range;

use ort::operator::ComputeContext;
use ort::value::TensorElementType;

use crate::kernels::product8::QuantizedRows;
use crate::kernels::{Isa, product, product8, run};
use crate::operators::{Outcome, check, missing, tensor};

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

    /// Makes room on this thread to multiply so many rows.
    fn reserve(isa: Isa, rows: usize, k: usize) -> Result<(), TryReserveError>;

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

    fn reserve(isa: Isa, rows: usize, k: usize) -> Result<(), TryReserveError> {
        product::reserve(isa, rows, k)
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

    fn reserve(_: Isa, _: usize, _: usize) -> Result<(), TryReserveError> {
        Ok(())
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
