//! The operators `Embed` and `Embed8`: the rows of a token's tables, summed and normalised.

use std::marker::PhantomData;

use ort::operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput};
use ort::value::{PrimitiveTensorElementType, TensorElementType, ValueRef};

use super::{Input, Outcome, Packing, check, missing, tensor};
use crate::kernels::rows::{Addend, Embed, Norm, Table};
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, run};

/// A kind of token table: how its operator is called, what its elements are, and what stands beside it.
pub trait Form: Send + Sync + 'static {
    type Element: PrimitiveTensorElementType;
    const NAME: &'static str;
    const ELEMENT: TensorElementType;

    /// The table of `hidden` columns, once its lengths were checked.
    fn table<'a>(
        table: Input<'a, Self::Element>,
        ranges: Option<Input<'a, f32>>,
        hidden: usize,
    ) -> Outcome<Table<'a>>;
}

/// `f32` as published.
pub struct Floats;
/// Bytes with a range for each row.
pub struct Bytes;

impl Form for Floats {
    type Element = f32;
    const NAME: &'static str = "Embed";
    const ELEMENT: TensorElementType = TensorElementType::Float32;

    fn table<'a>(table: Input<'a, f32>, _: Option<Input<'a, f32>>, _: usize) -> Outcome<Table<'a>> {
        Ok(Table::Floats(table.values))
    }
}

impl Form for Bytes {
    type Element = u8;
    const NAME: &'static str = "Embed8";
    const ELEMENT: TensorElementType = TensorElementType::Uint8;

    fn table<'a>(table: Input<'a, u8>, ranges: Option<Input<'a, f32>>, hidden: usize) -> Outcome<Table<'a>> {
        let ranges = ranges.ok_or_else(|| missing("ranges"))?;
        check(
            ranges.values.len() == 2 * (table.values.len() / hidden),
            "The ranges of a table do not fit it",
        )?;
        Ok(Table::Bytes(table.values, ranges.values))
    }
}

pub struct EmbedOperator<F> {
    isa: Isa,
    packing: Packing,
    form: PhantomData<F>,
}

impl<F> EmbedOperator<F> {
    pub fn new(isa: Isa, packing: &Packing) -> Self {
        Self {
            isa,
            packing: packing.clone(),
            form: PhantomData,
        }
    }
}

pub struct EmbedKernel<F> {
    isa: Isa,
    packing: Packing,
    epsilon: f32,
    form: PhantomData<F>,
}

impl<F: Form> Operator for EmbedOperator<F> {
    type Kernel<'attr> = EmbedKernel<F>;

    fn name(&self) -> &str {
        F::NAME
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let ids = || OperatorInput::optional(TensorElementType::Int64);
        let table = || OperatorInput::optional(TensorElementType::Float32);
        [
            OperatorInput::required(TensorElementType::Int64),
            OperatorInput::required(F::ELEMENT),
            table(),
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

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> Outcome<EmbedKernel<F>> {
        Ok(EmbedKernel {
            isa: self.isa,
            packing: self.packing.clone(),
            epsilon: context.get::<f32>("epsilon").unwrap_or(1e-5),
            form: PhantomData,
        })
    }
}

impl<F: Form> Kernel for EmbedKernel<F> {
    fn compute(&mut self, context: &ComputeContext) -> Outcome<()> {
        let inputs = (0..context.num_inputs()?)
            .map(|i| context.input(i))
            .collect::<Outcome<Vec<_>>>()?;
        let [ids, table, ranges, gamma, beta, others @ ..] = inputs.as_slice() else {
            return Err(missing("table"));
        };
        let ids = tensor::<i64>(ids)?.ok_or_else(|| missing("ids"))?;
        let gamma = tensor::<f32>(gamma)?.ok_or_else(|| missing("gamma"))?;
        let beta = tensor::<f32>(beta)?.ok_or_else(|| missing("beta"))?;
        let hidden = gamma.values.len();
        check(
            hidden > 0 && hidden.is_multiple_of(LANES) && beta.values.len() == hidden,
            "The normalisation of an embedding does not fit",
        )?;
        let table = tensor::<F::Element>(table)?.ok_or_else(|| missing("table"))?;
        let rows = table.values.len() / hidden;
        let table = F::table(table, tensor::<f32>(ranges)?, hidden)?;
        check(known(ids.values, rows), "A token id is not in the vocabulary")?;
        let addends = addends(others, &ids.shape, hidden)?;
        let shape: Vec<i64> = ids.shape.iter().chain([&hidden]).map(|&dim| dim as i64).collect();
        let mut out = context.output(0, shape)?.ok_or_else(|| missing("output"))?;
        let (_, out) = out.try_extract_tensor_mut::<f32>()?;
        let norm = Norm {
            gamma: gamma.values,
            beta: beta.values,
            epsilon: self.epsilon,
        };
        let [batch, tokens] = ids.shape[..] else {
            return Err(ort::Error::new("Token ids must have two axes"));
        };
        for (text, to) in self.packing.texts(batch, tokens)?.into_iter().enumerate() {
            let first = text * tokens;
            let task = Embed {
                ids: ids.values.get(first..first + to.len()).unwrap_or_default(),
                table,
                addends: &addends,
                norm,
                out: out
                    .get_mut(to.start * hidden..to.end * hidden)
                    .unwrap_or_default(),
                first,
            };
            // SAFETY: the instruction set was detected, and every id and length was checked.
            unsafe { run(self.isa, task) };
        }
        Ok(())
    }
}

/// The pairs of ids and table that follow the token table. Their ids are those of each token of the `shape`, or fewer
/// axes of them that repeat.
fn addends<'a>(
    pairs: &'a [Option<ValueRef<'_>>],
    shape: &[usize],
    hidden: usize,
) -> Outcome<Vec<Addend<'a>>> {
    let mut addends = Vec::new();
    for pair in pairs.chunks_exact(2) {
        let [ids, table] = pair else { break };
        let (Some(ids), Some(table)) = (tensor::<i64>(ids)?, tensor::<f32>(table)?) else {
            break;
        };
        let own: Vec<usize> = ids.shape.iter().copied().skip_while(|&size| size == 1).collect();
        check(
            shape.ends_with(&own),
            "Position or type ids do not fit the token ids",
        )?;
        check(
            known(ids.values, table.values.len() / hidden),
            "A position or type is not in its table",
        )?;
        addends.push(Addend {
            ids: ids.values,
            table: table.values,
        });
    }
    Ok(addends)
}

fn known(ids: &[i64], rows: usize) -> bool {
    ids.iter()
        .all(|&id| usize::try_from(id).is_ok_and(|id| id < rows))
}
