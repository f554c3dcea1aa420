//! A model's graph made anew from our operators: a small graph and one file of weights, laid out as the kernels read them.
//!
//! Every recognised part becomes one or two of our operators (see [`crate::operators`]); the rest of the graph stays. A session
//! maps the file of weights and copies nothing. In 8 bits, [`super::quantize`] says what the weights become.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::calibration::observe;
use super::events::Cancel;
use super::graph::{Graph, needed};
use super::onnx::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, data_type};
use super::parts::{Part, Product, divide};
use super::patterns::{Attention, LayerNorm, Linear, Lookup};
use super::prepare::{DATA_FILE, GRAPH_FILE};
use super::source::Source;
use super::writer::{DataWriter, write_model};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::simd::LANES;
use crate::operators::{DOMAIN, Observations};

/// Changes whenever the same model gives another file.
pub const REWRITER_VERSION: u32 = 3;

/// What the weights become.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// The same `f32`, in another order.
    Fp32,
    /// 8-bit integers with the scales that undo them.
    Int8 {
        /// Token ids as the model's tokenizer makes them from [`SENTENCES`](super::calibration::SENTENCES), one list a
        /// sentence. Without any, outliers are guessed from the weights, which costs quality.
        examples: &'a [Vec<i64>],
        /// Threads that the examples run on.
        threads: usize,
    },
}

/// What was done, for reports and to judge whether it was worth it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Products, fused projections counted once.
    pub products: usize,
    /// Fused attentions.
    pub attentions: usize,
    /// Token tables.
    pub tables: usize,
}

/// Writes a copy of the model at `source` into `folder`, which must exist. `output` is the value to keep, the others are
/// dropped.
///
/// # Errors
/// `ModelNotFound` or `ModelInvalid` for the source, also when nothing in it is recognised; `Internal` when the folder cannot
/// be written; `Aborted`; with examples also `Inference` and `RuntimeNotFound`, as [`observe`].
pub fn rewrite(
    source: &Path,
    output: &str,
    form: Form<'_>,
    folder: &Path,
    cancel: &Cancel,
) -> Result<Summary> {
    let mut source = Source::open(source)?;
    let model = source.model.clone();
    let invalid = |what: &str| Error::new(ErrorKind::ModelInvalid, what.to_owned());
    let old = model
        .graph
        .as_ref()
        .ok_or_else(|| invalid("The file contains no graph"))?;
    let kept = old.output.iter().find(|value| value.name == output);
    let kept = kept
        .ok_or_else(|| invalid(&format!("The graph has no output {output}")))?
        .clone();
    let graph = Graph::new(old);
    let parts = divide(&graph, output);
    let recognised: usize = parts.values().map(Part::products).sum();
    if recognised == 0 {
        return Err(invalid("Nothing in the graph is recognised"));
    }
    // What we leave, ONNX Runtime must run without its own fusions: then most of the work should be ours.
    if matches!(form, Form::Fp32) && 2 * recognised < old.node.iter().filter(|node| is_product(node)).count()
    {
        return Err(invalid("Too little of the graph is recognised"));
    }
    // The new nodes make the values of the old ones, whose other outputs nobody needs.
    let others = || {
        old.node.iter().filter(|node| {
            !node
                .output
                .iter()
                .any(|output| parts.contains_key(output.as_str()))
        })
    };
    let constants: HashSet<&str> = old
        .initializer
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    let inputs = || {
        old.input
            .iter()
            .filter(|input| !constants.contains(input.name.as_str()))
    };

    let data = DataWriter::create(folder, DATA_FILE)?;
    let mut writer = Writer::new(&graph, &mut source, data, form);
    for (value, part) in &parts {
        if let Part::Embed(lookup, norm) = part {
            writer.embed(value, lookup, norm)?;
        }
    }
    // What does not depend on the outliers is written once, the products again when the examples have been seen.
    let (examples, threads) = match form {
        Form::Int8 { examples, threads } => (examples, threads),
        Form::Fp32 => (&[][..], 0),
    };
    let tables = writer.mark();
    let file = folder.join(GRAPH_FILE);
    for last in [examples.is_empty(), true] {
        for (value, part) in &parts {
            cancel.check()?;
            match part {
                Part::Product(product) => writer.product(value, product)?,
                Part::Attention(attention) => writer.attention(value, attention)?,
                Part::Embed(..) => {}
            }
        }
        let mut nodes = needed(
            others().cloned().chain(writer.nodes.iter().cloned()).collect(),
            &[output],
        );
        for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
            if let Some(constant) = &mut attribute.t {
                writer.source.inline(constant)?;
            }
        }
        writer.keep(&old.initializer, &nodes)?;
        let graph = GraphProto {
            name: old.name.clone(),
            node: nodes,
            initializer: writer.tensors.clone(),
            input: inputs().cloned().collect(),
            output: vec![kept.clone()],
            ..Default::default()
        };
        let mut rewritten = ModelProto {
            graph: Some(graph),
            ..model.clone()
        };
        rewritten.opset_import.push(OperatorSetIdProto {
            domain: DOMAIN.to_owned(),
            version: 1,
        });
        writer.data.flush()?;
        write_model(&rewritten, &file)?;
        if last {
            break;
        }
        writer.observations = Some(observe(&file, examples, threads, cancel)?);
        writer.rewind(&tables)?;
    }
    Ok(writer.summary)
}

fn is_product(node: &NodeProto) -> bool {
    let name = node.op_type.as_str();
    name.contains("MatMul") || name == "Gemm"
}

/// Emits nodes and their tensors.
pub(super) struct Writer<'a, 'g> {
    pub(super) graph: &'g Graph<'a>,
    pub(super) source: &'g mut Source,
    pub(super) data: DataWriter,
    pub(super) observations: Option<Observations>,
    form: Form<'g>,
    nodes: Vec<NodeProto>,
    pub(super) tensors: Vec<TensorProto>,
    /// Names of the weights and biases of layers that were written already.
    written: HashMap<Vec<LayerKey<'a>>, [String; 2]>,
    summary: Summary,
}

/// The constants of a layer: weight, whether it is transposed, bias.
type LayerKey<'a> = (&'a str, bool, Option<&'a str>);

/// A state of a [`Writer`] to go back to.
struct Mark {
    position: usize,
    nodes: usize,
    tensors: usize,
    summary: Summary,
}

impl<'a, 'g> Writer<'a, 'g> {
    fn new(graph: &'g Graph<'a>, source: &'g mut Source, data: DataWriter, form: Form<'g>) -> Self {
        Self {
            graph,
            source,
            data,
            observations: None,
            form,
            nodes: Vec::new(),
            tensors: Vec::new(),
            written: HashMap::new(),
            summary: Summary::default(),
        }
    }

    fn mark(&self) -> Mark {
        let (nodes, tensors) = (self.nodes.len(), self.tensors.len());
        Mark {
            position: self.data.position(),
            nodes,
            tensors,
            summary: self.summary,
        }
    }

    fn rewind(&mut self, mark: &Mark) -> Result<()> {
        self.nodes.truncate(mark.nodes);
        self.tensors.truncate(mark.tensors);
        self.summary = mark.summary;
        self.data.rewind(mark.position)
    }

    /// Keeps the old initializers that `nodes` read, in the data file unless they are small.
    fn keep(&mut self, old: &[TensorProto], nodes: &[NodeProto]) -> Result<()> {
        let reads: HashSet<&str> = nodes.iter().flat_map(NodeProto::reads).collect();
        for tensor in old.iter().filter(|tensor| reads.contains(tensor.name.as_str())) {
            let mut kept = tensor.clone();
            self.source.inline(&mut kept)?;
            if kept.raw_data.len() >= 1024 && data_type::LENT.contains(&kept.data_type) {
                kept = self
                    .data
                    .tensor(&kept.name, kept.data_type, &kept.shape(), &kept.raw_data)?;
            }
            self.tensors.push(kept);
        }
        Ok(())
    }

    fn product(&mut self, value: &str, product: &Product<'a>) -> Result<()> {
        let mut node = self
            .multiply(value, &[product.linear])?
            .with_int("gelu", i64::from(product.gelu));
        if let Some((residual, norm)) = &product.residual {
            let [gamma, beta] = self.norm(value, norm)?;
            node.input.extend([(*residual).to_owned(), gamma, beta]);
            node = node.with_float("epsilon", norm.epsilon);
        }
        self.nodes.push(node);
        Ok(())
    }

    fn attention(&mut self, value: &str, attention: &Attention<'a>) -> Result<()> {
        let projected = format!("{value}/projected");
        let node = self.multiply(&projected, &attention.projections)?;
        self.nodes.push(node);
        let mut inputs = vec![projected];
        inputs.extend(attention.biases.iter().map(|&bias| bias.to_owned()));
        self.nodes.push(
            NodeProto::new("Attention", DOMAIN, inputs, value)
                .with_int("head_size", attention.head_size as i64)
                .with_float("scale", attention.scale),
        );
        self.summary.attentions += 1;
        Ok(())
    }

    fn embed(&mut self, value: &str, lookup: &Lookup<'a>, norm: &LayerNorm<'a>) -> Result<()> {
        let Some(((table, ids), others)) = lookup.tables.split_first() else {
            return Err(Error::new(ErrorKind::Internal, "A lookup without tables"));
        };
        let (operator, tables) = match self.form {
            Form::Fp32 => ("Embed", [self.graph.resolve(table).to_owned(), String::new()]),
            Form::Int8 { .. } => ("Embed8", self.table8(value, table)?),
        };
        let [gamma, beta] = self.norm(value, norm)?;
        let mut inputs = vec![(*ids).to_owned()];
        inputs.extend(tables);
        inputs.extend([gamma, beta]);
        for (table, ids) in others {
            inputs.extend([(*ids).to_owned(), self.graph.resolve(table).to_owned()]);
        }
        self.nodes
            .push(NodeProto::new(operator, DOMAIN, inputs, value).with_float("epsilon", norm.epsilon));
        self.summary.tables += 1;
        Ok(())
    }

    /// A product with one or more layers of the same input, side by side.
    fn multiply(&mut self, value: &str, layers: &[Linear<'a>]) -> Result<NodeProto> {
        self.summary.products += 1;
        match self.form {
            Form::Fp32 => self.multiply_floats(value, layers),
            Form::Int8 { .. } => self.multiply8(value, layers),
        }
    }

    fn multiply_floats(&mut self, value: &str, layers: &[Linear<'a>]) -> Result<NodeProto> {
        let first = layers.first().ok_or_else(no_layers)?;
        let name = |part: &str| format!("{value}/{part}");
        // Some models use a layer several times.
        let of = |value: &'a str| self.graph.resolve(value);
        let layers_of = |layer: &Linear<'a>| (of(layer.weight), layer.transposed, layer.bias.map(of));
        let key: Vec<_> = layers.iter().map(layers_of).collect();
        let [weight, bias] = match self.written.get(&key) {
            Some(names) => names.clone(),
            None => {
                let names = [name("weight"), name("bias")];
                self.write_floats(&names, layers)?;
                self.written.insert(key, names.clone());
                names
            }
        };
        let inputs = vec![first.input.to_owned(), weight, bias];
        Ok(NodeProto::new("Product", DOMAIN, inputs, value))
    }

    /// Writes the weights and biases of layers side by side, under these names.
    fn write_floats(&mut self, [weight, bias]: &[String; 2], layers: &[Linear<'a>]) -> Result<()> {
        let k = layers.first().ok_or_else(no_layers)?.k;
        let n = layers.iter().map(|layer| layer.n).sum::<usize>();
        let (dims, length) = ([n / LANES, k, LANES], 4 * k * n);
        let weight = self.data.begin(weight, data_type::FLOAT, &dims, length)?;
        self.tensors.push(weight);
        let mut biases = Vec::with_capacity(n);
        let mut bytes = Vec::new();
        for layer in layers {
            let weights = self.weights_of(layer)?;
            for block in 0..layer.n / LANES {
                bytes.clear();
                for row in weights.chunks_exact(layer.n) {
                    let columns = row.get(block * LANES..(block + 1) * LANES).unwrap_or_default();
                    bytes.extend(columns.iter().flat_map(|value| value.to_le_bytes()));
                }
                self.data.write(&bytes)?;
            }
            biases.extend(self.bias_of(layer)?);
        }
        self.floats(bias, &[n], &biases)
    }

    fn norm(&mut self, value: &str, norm: &LayerNorm<'a>) -> Result<[String; 2]> {
        let mut copy = |part: &str, of: &'a str| {
            let name = format!("{value}/{part}");
            let values = self.floats_of_constant(of)?;
            self.floats(&name, &[values.len()], &values)?;
            Ok::<_, Error>(name)
        };
        Ok([copy("gamma", norm.gamma)?, copy("beta", norm.beta)?])
    }

    /// Writes a tensor of `f32`.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = self.data.tensor(name, data_type::FLOAT, dims, &bytes)?;
        self.tensors.push(tensor);
        Ok(())
    }

    /// The weights of a layer as `[k, n]`.
    pub(super) fn weights_of(&mut self, layer: &Linear<'a>) -> Result<Vec<f32>> {
        let weights = self.floats_of_constant(layer.weight)?;
        if !layer.transposed {
            return Ok(weights);
        }
        let column = |i: usize| weights.iter().skip(i).step_by(layer.k).copied();
        Ok((0..layer.k).flat_map(column).collect())
    }

    /// The bias of a layer, zeros if it has none.
    pub(super) fn bias_of(&mut self, layer: &Linear<'a>) -> Result<Vec<f32>> {
        match layer.bias {
            Some(bias) => self.floats_of_constant(bias),
            None => Ok(vec![0.0; layer.n]),
        }
    }

    pub(super) fn floats_of_constant(&mut self, value: &'a str) -> Result<Vec<f32>> {
        let tensor = self.constant(value)?;
        self.source.floats(&tensor)
    }

    pub(super) fn constant(&self, value: &'a str) -> Result<TensorProto> {
        let not_constant = || Error::new(ErrorKind::Internal, format!("{value} is not constant"));
        self.graph.constant(value).cloned().ok_or_else(not_constant)
    }
}

/// What only a mistake in here could be.
pub(super) fn no_layers() -> Error {
    Error::new(ErrorKind::Internal, "A product without layers")
}
