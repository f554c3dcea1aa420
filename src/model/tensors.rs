//! Whether a tensor's type, shape and bytes fit each other: checked once for all of a file, so that nothing later
//! allocates, divides or reads by a shape that is not true.

use super::onnx::TensorProto;
use crate::error::{Error, ErrorKind, Result};

/// Checks a constant tensor; `outside` are its bytes where they lie in another file.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] for a negative dimension, one too many, or another number of bytes than the shape says.
pub fn check(tensor: &TensorProto, outside: Option<&[u8]>) -> Result<()> {
    let elements = tensor
        .dims
        .iter()
        // Zeros count as one here: what stands beside them must be sane as well.
        .try_fold(1_usize, |product, &dim| {
            product.checked_mul(usize::try_from(dim).ok()?.max(1))
        })
        .map(|product| if tensor.dims.contains(&0) { 0 } else { product });
    let raw = Some(&tensor.raw_data[..]).filter(|bytes| !bytes.is_empty());
    let stored = match (outside.or(raw), width(tensor.data_type)) {
        (Some(bytes), _) => elements_in(bytes, tensor),
        (None, Some(_)) => Some(
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
        (None, None) => None,
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
