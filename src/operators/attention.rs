//! The operator `Attention`: all heads of all texts, spread over threads.

use ort::operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput};
use ort::value::TensorElementType;

use super::{Outcome, Packing, Shared, check, missing, spread, tensor, with_scratch};
use crate::kernels::attention::{Attend, Bias};
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, run};

pub struct AttentionOperator {
    pub isa: Isa,
    pub threads: usize,
    pub packing: Packing,
}

pub struct AttentionKernel {
    isa: Isa,
    threads: usize,
    packing: Packing,
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
            packing: self.packing.clone(),
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
        let texts = self.packing.texts(batch, tokens)?;
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
            let Some(rows) = texts.get(text) else {
                return Ok(());
            };
            let (first, tokens) = (rows.start, rows.len());
            with_scratch(|scratch| {
                scratch.attention.reserve(tokens, head_size)?;
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
                Ok(())
            })
        })
    }
}
