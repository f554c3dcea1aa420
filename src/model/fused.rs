//! What recognised parts become: the attention node, and the weights of their layers in one order.

use super::graph::Graph;
use super::onnx::{NodeProto, Source};
use super::patterns::{Attention, Linear};
use crate::error::{Error, ErrorKind, Result};
use crate::operators::DOMAIN;

/// The operator that makes `value` out of its projections.
pub(super) fn attend(value: &str, projected: String, attention: &Attention) -> NodeProto {
    let mut inputs = vec![projected];
    inputs.extend(attention.biases.iter().map(|&bias| bias.to_owned()));
    NodeProto::new("Attention", DOMAIN, inputs, value)
        .with_int("head_size", attention.head_size as i64)
        .with_float("scale", attention.scale)
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
