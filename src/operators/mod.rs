//! The encoder's parts as ONNX Runtime operators: domain, names, inputs, and how the work is spread over threads.
//!
//! | operator | inputs | attributes |
//! |---|---|---|
//! | `Product` | x `f32 [.., k]`, weight `f32 [n/16, k, 16]`, bias `f32 [n]`, then optional residual `f32 [.., n]`, gamma, beta `f32 [n]` | gelu, epsilon |
//! | `Product8` | x `f32 [.., k]`, weight `i8 [n/16, k/4, 16, 4]`, columns `f32 [3, n]`, then optional outliers `i32 [o]`, outlier_weights `f32 [o, n]`, residual, gamma, beta | gelu, epsilon |
//! | `Attention` | projections `f32 [batch, tokens, 3 hidden]`, up to three biases that broadcast to `[batch, heads, tokens, tokens]` | head_size, scale |
//! | `Embed` | ids `i64 [batch, tokens]`, table `f32 [vocabulary, hidden]`, nothing, gamma, beta `f32 [hidden]`, then up to three pairs of ids and `f32` table | epsilon |
//! | `Embed8` | ids, table `u8 [vocabulary, hidden]`, ranges `f32 [vocabulary, 2]`, the rest as `Embed` | epsilon |
//!
//! Where texts are packed ([`Packing`]), only the first rows of a tensor count.

#![allow(
    unsafe_code,
    reason = "threads write to parts of one output, and kernels run on the instruction set that was detected"
)]

mod attention;
mod cut;
mod embed;
mod packing;
mod product;

use std::cell::RefCell;
use std::collections::{HashMap, TryReserveError};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::operator::{ComputeContext, OperatorDomain};
use ort::session::builder::SessionBuilder;
use ort::value::{PrimitiveTensorElementType, ValueRef};

use self::attention::AttentionOperator;
use self::embed::EmbedOperator;
pub use self::packing::Packing;
use self::product::ProductOperator;
use crate::error::{Context, ErrorKind, Result};
use crate::kernels::Isa;
use crate::kernels::attention::Scratch as AttentionScratch;
use crate::kernels::product8::QuantizedRows;

/// The domain that the operators live in.
pub const DOMAIN: &str = "sentence_embedder";

type Outcome<T> = std::result::Result<T, ort::Error>;

/// Makes the operators known to sessions of this builder; `threads` is the number of threads inside one operator, and
/// `packing` tells them of each run how its texts lie.
///
/// # Errors
/// `Inference` when the runtime refuses them.
pub fn register(builder: SessionBuilder, threads: usize, packing: &Packing) -> Result<SessionBuilder> {
    register_with(builder, threads, packing, None)
}

/// As [`register`] for runs without packed texts, and each 8-bit product notes in `observations` what it was given.
///
/// # Errors
/// `Inference` when the runtime refuses them.
pub fn register_observed(
    builder: SessionBuilder,
    threads: usize,
    observations: &Observations,
) -> Result<SessionBuilder> {
    register_with(builder, threads, &Packing::default(), Some(observations.clone()))
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
    packing: &Packing,
    observations: Option<Observations>,
) -> Result<SessionBuilder> {
    let failed = || "Cannot register the operators of sentence-embedder";
    let isa = Isa::detect();
    let domain = OperatorDomain::new(DOMAIN)
        .and_then(|domain| {
            domain.add(ProductOperator::<product::Floats>::new(
                isa, threads, packing, None,
            ))
        })
        .and_then(|domain| {
            domain.add(ProductOperator::<product::Bytes>::new(
                isa,
                threads,
                packing,
                observations,
            ))
        })
        .and_then(|domain| {
            domain.add(AttentionOperator {
                isa,
                threads,
                packing: packing.clone(),
            })
        })
        .and_then(|domain| domain.add(EmbedOperator::<embed::Floats>::new(isa, packing)))
        .and_then(|domain| domain.add(EmbedOperator::<embed::Bytes>::new(isa, packing)))
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
    attention: AttentionScratch,
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

/// Runs `work` for 0..tasks, on the session's threads if there are several. Fails where a task has no memory.
fn spread(
    context: &ComputeContext,
    threads: usize,
    tasks: usize,
    work: impl Fn(usize) -> std::result::Result<(), TryReserveError> + Sync + Send,
) -> Outcome<()> {
    if threads <= 1 || tasks <= 1 {
        return (0..tasks).try_for_each(work).map_err(ort::Error::wrap);
    }
    let failed = OnceLock::new();
    context.par_for(tasks, tasks.min(threads), |task| {
        if let Err(cause) = work(task) {
            // The first to fail is told.
            failed.set(cause).ok();
        }
    })?;
    failed
        .into_inner()
        .map_or(Ok(()), |cause| Err(ort::Error::wrap(cause)))
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
