//! The operators `Product` and `Product8`: a linear layer and what follows it, spread over threads.

mod form;

use std::collections::TryReserveError;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use ort::operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput};
use ort::value::TensorElementType;

pub use self::form::{Bytes, Floats, Form};
use super::cut::Cut;
use super::{Observations, Outcome, Packing, Shared, check, missing, spread, tensor, with_scratch};
use crate::kernels::rows::{AddAndNormalize, Norm};
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, run};

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
            let out = out.get_mut(..rows * n).ok_or_else(|| missing("output"))?;
            let layer = Layer {
                x: x.values.get(..rows * k).ok_or_else(|| missing("x"))?,
                rows,
                k,
                n,
                weights,
                residual,
            };
            let cut = Cut::of(rows, n / LANES, self.threads);
            if cut.across > 1 && cut.rows == rows {
                // All tasks read the same rows, which are made ready once.
                with_scratch(|scratch| {
                    // SAFETY: the instruction set was detected; x holds whole rows.
                    let ready = unsafe { F::rows(self.isa, layer.x, weights, &mut scratch.rows) };
                    self.multiply(context, cut, &layer, Some(ready), out)
                })
            } else {
                self.multiply(context, cut, &layer, None, out)
            }
        })
    }
}

/// A product and what follows it.
struct Layer<'a, W> {
    /// `[rows, k]`
    x: &'a [f32],
    rows: usize,
    k: usize,
    n: usize,
    weights: W,
    residual: Option<(&'a [f32], Norm<'a>)>,
}

impl<F: Form> ProductKernel<F> {
    /// Each task multiplies its own rows, unless all are `ready`, by its own columns. Whoever ends last among those that share
    /// rows adds the residual and normalises them.
    fn multiply(
        &self,
        context: &ComputeContext,
        cut: Cut,
        layer: &Layer<'_, F::Weights<'_>>,
        ready: Option<F::Rows<'_>>,
        out: &mut [f32],
    ) -> Outcome<()> {
        let out = Shared(out.as_mut_ptr());
        let down = layer.rows.div_ceil(cut.rows);
        let ended: Vec<AtomicUsize> = (0..down).map(|_| AtomicUsize::new(0)).collect();
        spread(context, self.threads, down * cut.across, |task| {
            // SAFETY: each task is run once, and `out` has all rows and columns.
            unsafe { self.task(cut, layer, ready, out, &ended, task) }
        })
    }

    /// # Safety
    /// `out` has the rows and columns of the layer, `ended` began with a zero for each row of tasks, and each task is run once.
    unsafe fn task(
        &self,
        cut: Cut,
        layer: &Layer<'_, F::Weights<'_>>,
        ready: Option<F::Rows<'_>>,
        out: Shared,
        ended: &[AtomicUsize],
        task: usize,
    ) -> std::result::Result<(), TryReserveError> {
        let &Layer { k, n, weights, .. } = layer;
        let (place, column) = (task / cut.across, task % cut.across);
        let rows = place * cut.rows..((place + 1) * cut.rows).min(layer.rows);
        F::reserve(self.isa, rows.len(), k)?;
        let blocks = column * cut.blocks..((column + 1) * cut.blocks).min(n / LANES);
        let own = rows.start * n..rows.end * n;
        let multiply = |rows: F::Rows<'_>| {
            // SAFETY: the instruction set was detected; the weights are consistent; each task has its own columns of its own
            // rows.
            unsafe {
                let out = out.start().add(own.start);
                F::multiply(self.isa, rows, weights, blocks, self.gelu, out);
            }
        };
        match ready {
            Some(rows) => multiply(rows),
            None => with_scratch(|scratch| {
                let x = layer.x.get(rows.start * k..rows.end * k).unwrap_or_default();
                // SAFETY: as above, and x holds whole rows.
                multiply(unsafe { F::rows(self.isa, x, weights, &mut scratch.rows) });
            }),
        }
        if let (Some((residual, norm)), Some(ended)) = (layer.residual, ended.get(place))
            && ended.fetch_add(1, Ordering::AcqRel) + 1 == cut.across
        {
            let residual = residual.get(own.clone()).unwrap_or_default();
            // SAFETY: as above. All tasks of these rows have ended, and counting them made what they wrote seen here.
            unsafe {
                let out = out.part(own);
                run(self.isa, AddAndNormalize { out, residual, norm });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::product;

    /// What Miri can look at: `cargo +nightly miri test --lib -- operators`.
    #[test]
    fn tasks_of_several_threads_write_what_one_writes() {
        const ROWS: usize = 50;
        const K: usize = 16;
        const N: usize = 64;
        let numbers =
            |count: usize| -> Vec<f32> { (0..count).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect() };
        let (x, values) = (numbers(ROWS * K), numbers(K * N));
        let (residual, columns) = (numbers(ROWS * N), numbers(N));
        let norm = Norm {
            gamma: &columns,
            beta: &columns,
            epsilon: 1e-5,
        };
        let layer = Layer {
            x: &x,
            rows: ROWS,
            k: K,
            n: N,
            weights: product::Weights {
                k: K,
                n: N,
                values: &values,
                bias: &columns,
            },
            residual: Some((residual.as_slice(), norm)),
        };
        let kernel = ProductKernel::<Floats> {
            isa: Isa::detect(),
            threads: 4,
            packing: Packing::default(),
            gelu: false,
            epsilon: 1e-5,
            observed: None,
            form: PhantomData,
        };
        let compute = |cut: Cut, threads: usize| {
            let mut out = vec![0.0; ROWS * N];
            let shared = Shared(out.as_mut_ptr());
            let down = ROWS.div_ceil(cut.rows);
            let ended: Vec<_> = (0..down).map(|_| AtomicUsize::new(0)).collect();
            let next = AtomicUsize::new(0);
            let work = || {
                loop {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    if task >= down * cut.across {
                        break;
                    }
                    // SAFETY: each task once, and `out` has all rows and columns.
                    unsafe { kernel.task(cut, &layer, None, shared, &ended, task) }.unwrap();
                }
            };
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
            out
        };
        let shared = Cut::of(ROWS, N / LANES, 4);
        assert_eq!((shared.rows, shared.across), (25, 2));
        let alone = compute(Cut::of(ROWS, N / LANES, 1), 1);
        assert_eq!(compute(shared, 4), alone);
        assert!(alone.iter().all(|x| x.is_finite()) && alone.iter().any(|&x| x != 0.0));
    }
}
