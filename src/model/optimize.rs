//! An `f32` graph with fused attention: one product for query, key and value, one operator from there to the joined heads.
//!
//! The rest (layer normalisation, Gelu, biases) ONNX Runtime fuses itself when it loads the graph.

use std::collections::HashSet;
use std::path::Path;

use super::graph::{Graph, needed};
use super::onnx::{
    DataWriter, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, Source, data_type, write_model,
};
use super::parts::{Part, divide};
use super::patterns::{Attention, Linear};
use super::prepare::{DATA_FILE, GRAPH_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::operators::DOMAIN;

/// Writes a copy of `source` with fused attention into `folder`, which must exist, and answers how many were fused. `output`
/// is the value to keep, the others are dropped.
///
/// # Errors
/// `ModelNotFound` or `ModelInvalid` for the source; `Internal` when the folder cannot be written.
pub fn optimize_model(source: &Path, output: &str, folder: &Path) -> Result<usize> {
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
    let mut data = DataWriter::create(folder, DATA_FILE)?;
    let (mut nodes, mut tensors, mut fused) = (Vec::new(), Vec::new(), HashSet::new());
    for (&value, part) in &parts {
        let Part::Attention(attention) = part else {
            continue;
        };
        fused.insert(value);
        let [query, ..] = &attention.projections;
        let n = 3 * query.n;
        let (weight, bias) = join(&graph, &mut source, &attention.projections)?;
        let name = |part: &str| format!("{value}/{part}");
        tensors.push(data.tensor(&name("weight"), data_type::FLOAT, &[query.k, n], &weight)?);
        tensors.push(data.tensor(&name("bias"), data_type::FLOAT, &[n], &bias)?);
        nodes.push(NodeProto::new(
            "MatMul",
            "",
            vec![query.input.to_owned(), name("weight")],
            &name("product"),
        ));
        nodes.push(NodeProto::new(
            "Add",
            "",
            vec![name("product"), name("bias")],
            &name("projected"),
        ));
        nodes.push(attend(value, name("projected"), attention));
    }
    let others = old
        .node
        .iter()
        .filter(|node| !node.output.iter().any(|output| fused.contains(output.as_str())));
    let nodes = needed(others.cloned().chain(nodes).collect(), &[output]);
    let reads: HashSet<&str> = nodes.iter().flat_map(NodeProto::reads).collect();
    for tensor in old
        .initializer
        .iter()
        .filter(|tensor| reads.contains(tensor.name.as_str()))
    {
        tensors.push(if tensor.raw_data.len() >= 1024 || tensor.data_location != 0 {
            let bytes = source.bytes(tensor)?;
            data.tensor(&tensor.name, tensor.data_type, &tensor.shape(), &bytes)?
        } else {
            tensor.clone()
        });
    }
    data.finish()?;
    let inputs = old
        .input
        .iter()
        .filter(|input| !old.initializer.iter().any(|tensor| tensor.name == input.name));
    let graph = GraphProto {
        name: old.name.clone(),
        node: nodes,
        initializer: tensors,
        input: inputs.cloned().collect(),
        output: vec![kept],
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
    write_model(&rewritten, &folder.join(GRAPH_FILE))?;
    Ok(fused.len())
}

/// The operator that makes `value` out of its projections.
pub(super) fn attend(value: &str, projected: String, attention: &Attention) -> NodeProto {
    let mut inputs = vec![projected];
    inputs.extend(attention.biases.iter().map(|&bias| bias.to_owned()));
    NodeProto::new("Attention", DOMAIN, inputs, value)
        .with_int("head_size", attention.head_size as i64)
        .with_float("scale", attention.scale)
}

/// Weights `[k, sum of n]` and biases of layers of one input, side by side, as little-endian bytes.
fn join<'a>(graph: &Graph<'a>, source: &mut Source, layers: &[Linear<'a>]) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut weights = Vec::with_capacity(layers.len());
    let mut biases = Vec::new();
    for layer in layers {
        weights.push(weights_of(graph, source, layer)?);
        biases.extend(
            bias_of(graph, source, layer)?
                .into_iter()
                .flat_map(f32::to_le_bytes),
        );
    }
    let mut rows: Vec<_> = weights
        .iter()
        .zip(layers)
        .map(|(weights, layer)| weights.chunks_exact(layer.n))
        .collect();
    let mut joined = Vec::with_capacity(weights.iter().map(|weights| weights.len() * 4).sum());
    for _ in 0..layers.first().map_or(0, |layer| layer.k) {
        for row in rows.iter_mut().filter_map(Iterator::next) {
            joined.extend(row.iter().flat_map(|w| w.to_le_bytes()));
        }
    }
    Ok((joined, biases))
}

/// The weights of a layer as `[k, n]`.
pub(super) fn weights_of<'a>(graph: &Graph<'a>, source: &mut Source, layer: &Linear<'a>) -> Result<Vec<f32>> {
    let weights = floats_of_constant(graph, source, layer.weight)?;
    if !layer.transposed {
        return Ok(weights);
    }
    let column = |i: usize| weights.iter().skip(i).step_by(layer.k).copied();
    Ok((0..layer.k).flat_map(column).collect())
}

/// The bias of a layer, zeros if it has none.
pub(super) fn bias_of<'a>(graph: &Graph<'a>, source: &mut Source, layer: &Linear<'a>) -> Result<Vec<f32>> {
    match layer.bias {
        Some(bias) => floats_of_constant(graph, source, bias),
        None => Ok(vec![0.0; layer.n]),
    }
}

fn floats_of_constant<'a>(graph: &Graph<'a>, source: &mut Source, value: &'a str) -> Result<Vec<f32>> {
    let not_constant = || Error::new(ErrorKind::Internal, format!("{value} is not constant"));
    source.floats(graph.constant(value).ok_or_else(not_constant)?)
}
