//! An `f32` graph made into an 8-bit one: a portable folder of a small graph and one file of weights.
//!
//! Every recognised part becomes one or two of our operators (see [`crate::operators`]); the rest of the graph stays.
//! Weights are signed bytes with one scale per output column, laid out as the kernels read them, so a session maps the file
//! and copies nothing. The table of token rows is bytes with scale and minimum per row.

use std::collections::HashSet;
use std::path::Path;

use super::calibration::observe;
use super::fused::{attend, bias_of, weights_of};
use super::graph::{Graph, needed};
use super::onnx::{
    DataWriter, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, Source, TensorProto, data_type,
    floats_of, write_model,
};
use super::parts::{Part, Product, divide};
use super::patterns::{Attention, LayerNorm, Linear, Lookup, attention, gelu, layer_norm, linear};
use super::prepare::{DATA_FILE, GRAPH_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::product::QuantizeRow;
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, run};
use crate::operators::{DOMAIN, Observations};

/// Changes whenever the same input gives another file.
pub const QUANTIZER_VERSION: u32 = 2;

/// Input columns of each product that stay `f32`: the few with large values would stretch every row's range. The wide
/// inputs of the second feed-forward product have more of them, and there each costs least.
fn outlier_count(k: usize) -> usize {
    (k / 192).clamp(8, 32)
}

/// What was done, for reports and to judge whether it was worth it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// 8-bit products, fused projections counted once.
    pub products: usize,
    /// Fused attentions.
    pub attentions: usize,
    /// 8-bit tables.
    pub tables: usize,
}

/// Writes an 8-bit copy of `source` into `folder`, which must exist. `output` is the value to keep, the others are dropped.
///
/// `examples` are token ids as the model's tokenizer makes them from [`SENTENCES`](super::calibration::SENTENCES); without
/// any, outliers are guessed from the weights, which costs quality.
///
/// # Errors
/// `ModelNotFound` or `ModelInvalid` for the source, also when nothing in it is recognised; `Internal` when the folder cannot
/// be written.
pub fn quantize_model(source: &Path, output: &str, examples: &[Vec<i64>], folder: &Path) -> Result<Summary> {
    let mut source = Source::open(source)?;
    let model = source.model.clone();
    let invalid = |what: &str| Error::new(ErrorKind::ModelInvalid, what.to_owned());
    let old = model
        .graph
        .as_ref()
        .ok_or_else(|| invalid("The file holds no graph"))?;
    let kept = old.output.iter().find(|value| value.name == output);
    let kept = kept
        .ok_or_else(|| invalid(&format!("The graph has no output {output}")))?
        .clone();
    let graph = Graph::new(old);
    let parts = divide(&graph, output);
    if !parts
        .values()
        .any(|part| matches!(part, Part::Product(_) | Part::Attention(_)))
    {
        return Err(invalid("Nothing in the graph could be quantised"));
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
    let inputs = || {
        old.input
            .iter()
            .filter(|input| !old.initializer.iter().any(|tensor| tensor.name == input.name))
    };

    let data = DataWriter::create(folder, DATA_FILE)?;
    let mut writer = Writer::new(&graph, &mut source, data);
    for (value, part) in &parts {
        if let Part::Embed(lookup, norm) = part {
            writer.embed(value, lookup, norm)?;
        }
    }
    // What does not depend on the outliers is written once, the products again when the examples have been seen.
    let tables = writer.mark();
    let file = folder.join(GRAPH_FILE);
    for last in [examples.is_empty(), true] {
        for (value, part) in &parts {
            match part {
                Part::Product(product) => writer.product(value, product)?,
                Part::Attention(attention) => writer.attention(value, attention)?,
                Part::Embed(..) => {}
            }
        }
        let nodes = needed(
            others().cloned().chain(writer.nodes.iter().cloned()).collect(),
            &[output],
        );
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
        writer.observations = Some(observe(&file, examples)?);
        writer.rewind(&tables)?;
    }
    let Writer { data, summary, .. } = writer;
    data.finish()?;
    Ok(summary)
}

/// Emits nodes and their tensors.
struct Writer<'a, 'g> {
    graph: &'g Graph<'a>,
    source: &'g mut Source,
    data: DataWriter,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    summary: Summary,
    observations: Option<Observations>,
}

/// A state of a [`Writer`] to go back to.
struct Mark {
    position: usize,
    nodes: usize,
    tensors: usize,
    summary: Summary,
}

impl<'a, 'g> Writer<'a, 'g> {
    fn new(graph: &'g Graph<'a>, source: &'g mut Source, data: DataWriter) -> Self {
        let (nodes, tensors, summary) = (Vec::new(), Vec::new(), Summary::default());
        Self {
            graph,
            source,
            data,
            nodes,
            tensors,
            summary,
            observations: None,
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
            let kept = if tensor.raw_data.len() >= 1024 || tensor.data_location != 0 {
                let bytes = self.source.bytes(tensor)?;
                self.data
                    .tensor(&tensor.name, tensor.data_type, &tensor.shape(), &bytes)?
            } else {
                tensor.clone()
            };
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
        self.nodes.push(attend(value, projected, attention));
        self.summary.attentions += 1;
        Ok(())
    }

    fn embed(&mut self, value: &str, lookup: &Lookup<'a>, norm: &LayerNorm<'a>) -> Result<()> {
        let Some(((table, ids), others)) = lookup.tables.split_first() else {
            return Err(Error::new(ErrorKind::Internal, "A lookup without tables"));
        };
        let tensor = self.constant(table)?;
        let [rows, hidden] = tensor.shape()[..] else {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!("Table {table} is not two-dimensional"),
            ));
        };
        let bytes = self.source.bytes(&tensor)?;
        let mut ranges = Vec::with_capacity(rows * 8);
        let (mut x, mut quantized, mut range) = (vec![0.0; hidden], vec![0; hidden], [0.0; 2]);
        let name = format!("{value}/table");
        let written = self
            .data
            .begin(&name, data_type::UINT8, &[rows, hidden], rows * hidden)?;
        let isa = Isa::detect();
        for row in bytes.chunks_exact(hidden * 4) {
            for (to, from) in x.iter_mut().zip(floats_of(row)) {
                *to = from;
            }
            // SAFETY: the instruction set was detected; the rows have the same length.
            unsafe {
                run(
                    isa,
                    QuantizeRow {
                        x: &x,
                        values: &mut quantized,
                        range: &mut range,
                    },
                )
            };
            self.data.write(&quantized)?;
            ranges.extend(range.iter().flat_map(|value| value.to_le_bytes()));
        }
        self.tensors.push(written);
        let ranges_name = format!("{value}/ranges");
        self.tensors.push(
            self.data
                .tensor(&ranges_name, data_type::FLOAT, &[rows, 2], &ranges)?,
        );
        let [gamma, beta] = self.norm(value, norm)?;
        let mut inputs = vec![(*ids).to_owned(), name, ranges_name, gamma, beta];
        for (table, ids) in others {
            inputs.extend([(*ids).to_owned(), self.graph.resolve(table).to_owned()]);
        }
        self.nodes
            .push(NodeProto::new("Embed", DOMAIN, inputs, value).with_float("epsilon", norm.epsilon));
        self.summary.tables += 1;
        Ok(())
    }

    /// A product with one or more layers of the same input, side by side.
    fn multiply(&mut self, value: &str, layers: &[Linear<'a>]) -> Result<NodeProto> {
        let first = layers
            .first()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "A product without layers"))?;
        let (k, n) = (first.k, layers.iter().map(|layer| layer.n).sum::<usize>());
        let node = NodeProto::new("Product", DOMAIN, Vec::new(), value);
        let observed = self
            .observations
            .as_ref()
            .and_then(|observations| observations.take(&node.name));
        let spread = match observed {
            Some(spread) => spread,
            None => self.spread(first.input, k)?,
        };
        let outliers = largest(&spread, outlier_count(k));
        let mut values = Vec::with_capacity(k * n);
        let mut columns: [Vec<f32>; 3] = Default::default();
        let mut outlier_weights = vec![Vec::new(); outliers.len()];
        for layer in layers {
            let weights = weights_of(self.graph, self.source, layer)?;
            let bias = bias_of(self.graph, self.source, layer)?;
            let packed = pack(&weights, k, layer.n, &outliers);
            values.extend(packed.values);
            for (columns, more) in columns.iter_mut().zip([packed.scales, packed.sums, bias]) {
                columns.extend(more);
            }
            for (row, &outlier) in outlier_weights.iter_mut().zip(&outliers) {
                row.extend(weights.iter().skip(outlier * layer.n).take(layer.n));
            }
        }
        let floats =
            |values: &mut dyn Iterator<Item = f32>| values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let name = |part: &str| format!("{value}/{part}");
        let dims = [n / LANES, k / 4, LANES, 4];
        self.tensors.push(
            self.data
                .tensor(&name("weight"), data_type::INT8, &dims, &values)?,
        );
        let columns = floats(&mut columns.into_iter().flatten());
        self.tensors.push(
            self.data
                .tensor(&name("columns"), data_type::FLOAT, &[3, n], &columns)?,
        );
        let mut inputs = vec![first.input.to_owned(), name("weight"), name("columns")];
        if outliers.is_empty() {
            inputs.extend([String::new(), String::new()]);
        } else {
            let bytes = outliers
                .iter()
                .flat_map(|&outlier| (outlier as i32).to_le_bytes())
                .collect();
            self.tensors.push(TensorProto::inline(
                &name("outliers"),
                data_type::INT32,
                &[outliers.len()],
                bytes,
            ));
            let bytes = floats(&mut outlier_weights.into_iter().flatten());
            let dims = [outliers.len(), n];
            self.tensors.push(
                self.data
                    .tensor(&name("outlier_weights"), data_type::FLOAT, &dims, &bytes)?,
            );
            inputs.extend([name("outliers"), name("outlier_weights")]);
        }
        self.summary.products += 1;
        Ok(NodeProto {
            input: inputs,
            ..node
        })
    }

    fn norm(&mut self, value: &str, norm: &LayerNorm<'a>) -> Result<[String; 2]> {
        let mut copy = |part: &str, of: &'a str| {
            let tensor = self.constant(of)?;
            let name = format!("{value}/{part}");
            let bytes = self.source.bytes(&tensor)?;
            self.tensors.push(
                self.data
                    .tensor(&name, tensor.data_type, &tensor.shape(), &bytes)?,
            );
            Ok::<_, Error>(name)
        };
        Ok([copy("gamma", norm.gamma)?, copy("beta", norm.beta)?])
    }

    fn constant(&self, value: &'a str) -> Result<TensorProto> {
        let not_constant = || Error::new(ErrorKind::Internal, format!("{value} is not constant"));
        self.graph.constant(value).cloned().ok_or_else(not_constant)
    }

    /// How far the columns of `value` spread, estimated from weights alone: no example has to run.
    ///
    /// After a layer normalisation a column has about mean beta and deviation gamma; a layer's output then has about the
    /// mean and the deviation of a sum of independent columns. Empty where nothing is known.
    fn spread(&mut self, value: &'a str, k: usize) -> Result<Vec<f32>> {
        if let Some([mean, deviation]) = self.after_norm(value)? {
            return Ok(mean
                .iter()
                .zip(deviation)
                .map(|(mean, deviation)| mean.abs() + 3.0 * deviation)
                .collect());
        }
        let (layer, activated) =
            if let Some(layer) = gelu(self.graph, value).and_then(|input| linear(self.graph, input)) {
                (layer, true)
            } else if let Some(attention) = attention(self.graph, value) {
                let [.., layer] = attention.projections;
                (layer, false)
            } else {
                return Ok(Vec::new());
            };
        let Some([mean, deviation]) = self.after_norm(layer.input)? else {
            return Ok(Vec::new());
        };
        let weights = weights_of(self.graph, self.source, &layer)?;
        let mut means = bias_of(self.graph, self.source, &layer)?;
        let mut variances = vec![0.0; layer.n];
        for ((row, mean), deviation) in weights.chunks_exact(layer.n).zip(mean).zip(deviation) {
            for ((sum, variance), w) in means.iter_mut().zip(&mut variances).zip(row) {
                *sum += w * mean;
                *variance += (w * deviation).powi(2);
            }
        }
        let spread = means.iter().zip(variances).map(|(mean, variance)| {
            let (mean, deviation) = (*mean, variance.sqrt());
            // What the unit lets through is the positive side.
            if activated {
                mean + 3.0 * deviation
            } else {
                mean.abs() + 3.0 * deviation
            }
        });
        let spread: Vec<f32> = spread.collect();
        Ok(if spread.len() == k { spread } else { Vec::new() })
    }

    /// Mean and deviation of each column, if `value` is a layer normalisation.
    fn after_norm(&mut self, value: &'a str) -> Result<Option<[Vec<f32>; 2]>> {
        let Some(norm) = layer_norm(self.graph, value) else {
            return Ok(None);
        };
        let (gamma, beta) = (self.constant(norm.gamma)?, self.constant(norm.beta)?);
        let gamma = self.source.floats(&gamma)?.into_iter().map(f32::abs).collect();
        Ok(Some([self.source.floats(&beta)?, gamma]))
    }
}

/// The positions of the `count` largest values, ascending.
fn largest(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let value = |i: &usize| values.get(*i).copied().unwrap_or(0.0);
    order.sort_by(|a, b| value(b).total_cmp(&value(a)));
    order.truncate(count);
    order.sort_unstable();
    order
}

struct Packed {
    values: Vec<u8>,
    scales: Vec<f32>,
    sums: Vec<f32>,
}

/// Quantises `[k, n]` by column and lays it out `[n / 16][k / 4][16][4]`.
fn pack(weights: &[f32], k: usize, n: usize, outliers: &[usize]) -> Packed {
    let mut largest = vec![0.0_f32; n];
    let rows = || {
        weights
            .chunks_exact(n)
            .enumerate()
            .filter(|(i, _)| outliers.binary_search(i).is_err())
    };
    for (_, row) in rows() {
        for (largest, w) in largest.iter_mut().zip(row) {
            *largest = largest.max(w.abs());
        }
    }
    let scales: Vec<f32> = largest.iter().map(|largest| largest / 127.0).collect();
    let inverses: Vec<f32> = scales
        .iter()
        .map(|scale| if *scale > 0.0 { 1.0 / scale } else { 0.0 })
        .collect();
    let mut sums = vec![0_i32; n];
    let mut values = vec![0_u8; k * n];
    for (i, row) in rows() {
        let columns = row
            .chunks_exact(LANES)
            .zip(inverses.chunks_exact(LANES))
            .zip(sums.chunks_exact_mut(LANES));
        for (block, ((row, inverses), sums)) in columns.enumerate() {
            let start = (block * (k / 4) + i / 4) * LANES * 4 + i % 4;
            let to = values.iter_mut().skip(start).step_by(4);
            for (((w, inverse), sum), to) in row.iter().zip(inverses).zip(sums).zip(to) {
                let value = (w * inverse).round_ties_even() as i8;
                *sum += i32::from(value);
                *to = value as u8;
            }
        }
    }
    let sums = sums
        .iter()
        .zip(&scales)
        .map(|(sum, scale)| *sum as f32 * scale)
        .collect();
    Packed { values, scales, sums }
}
