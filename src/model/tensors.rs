//! Whether a tensor's type, shape and bytes fit each other: checked once for all of a file, so that nothing later
//! allocates, divides or reads by a shape that is not true.

use super::onnx::{EXTERNAL, NodeProto, Source, TensorProto};
use crate::error::{Error, ErrorKind, Result};

/// Checks the constant tensors of `source`: its initializers and the values of its `Constant` nodes.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] for a negative dimension, one too many, or another number of bytes than the shape says;
/// those of [`Source::bytes`].
pub fn check(source: &mut Source) -> Result<()> {
    // Reading external tensors takes the whole source; what is read is windows into maps.
    let graph = source.model.graph.take().unwrap_or_default();
    let constants = graph.node.iter().flat_map(NodeProto::constants);
    let checked = graph
        .initializer
        .iter()
        .chain(constants)
        .try_for_each(|tensor| check_one(source, tensor));
    source.model.graph = Some(graph);
    checked
}

fn check_one(source: &mut Source, tensor: &TensorProto) -> Result<()> {
    let elements = tensor
        .dims
        .iter()
        // Zeros count as one here: what stands beside them must be sane as well.
        .try_fold(1_usize, |product, &dim| {
            product.checked_mul(usize::try_from(dim).ok()?.max(1))
        })
        .map(|product| if tensor.dims.contains(&0) { 0 } else { product });
    let stored = match width(tensor.data_type) {
        _ if tensor.data_location == EXTERNAL => elements_in(&source.bytes(tensor)?, tensor),
        _ if !tensor.raw_data.is_empty() => elements_in(&tensor.raw_data, tensor),
        Some(_) => Some(
            [
                tensor.float_data.len(),
                tensor.int32_data.len(),
                tensor.int64_data.len(),
                tensor.double_data.len(),
                tensor.uint64_data.len(),
            ]
            .into_iter()
            .sum(),
        ),
        // Of a type that nothing here looks into.
        None => None,
    };
    match (elements, stored) {
        (Some(elements), Some(stored)) if elements == stored => Ok(()),
        (Some(_), None) if width(tensor.data_type).is_none() => Ok(()),
        _ => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "Tensor {} of the shape {:?} does not hold as many values as its shape says",
                tensor.name, tensor.dims
            ),
        )),
    }
}

fn elements_in(bytes: &[u8], tensor: &TensorProto) -> Option<usize> {
    let width = width(tensor.data_type)?;
    bytes.len().is_multiple_of(width).then_some(bytes.len() / width)
}

/// Bytes of one element, for the types of a fixed whole number of them.
fn width(data_type: i32) -> Option<usize> {
    match data_type {
        // uint8, int8, bool.
        2 | 3 | 9 => Some(1),
        // uint16, int16, float16, bfloat16.
        4 | 5 | 10 | 16 => Some(2),
        // float, int32, uint32.
        1 | 6 | 12 => Some(4),
        // int64, double, uint64.
        7 | 11 | 13 => Some(8),
        _ => None,
    }
}
