//! The weights of an 8-bit copy, mapped once and lent to every session of this process that opens it.
//!
//! ONNX Runtime would map the same file again for each session. The pages would be shared all the same, but every map
//! counts as resident memory of its own.

use std::ffi::CString;
use std::path::Path;

use bytes::Bytes;
use ort::AsPointer;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::SessionBuilder;
use ort::value::{PrimitiveTensorElementType, TensorRefMut};

use crate::error::{Error, ErrorKind, Result};
use crate::model::onnx::{EXTERNAL, Source, TensorProto, data_type};

/// Tensors that lie outside the graph's file, as windows into one map.
#[derive(Debug)]
pub struct Weights(Vec<(TensorProto, Bytes)>);

impl Weights {
    /// Maps the external tensors of `graph_file`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelNotFound`] or [`ErrorKind::ModelInvalid`], when the files are not those of a copy.
    pub fn map(graph_file: &Path) -> Result<Self> {
        let mut source = Source::open(graph_file)?;
        let graph = source.model.graph.clone().unwrap_or_default();
        let outside = graph
            .initializer
            .into_iter()
            .filter(|tensor| tensor.data_location == EXTERNAL);
        let lent = outside.map(|tensor| {
            let bytes = source.bytes(&tensor)?;
            let wanted = tensor.shape().iter().product::<usize>() * width(&tensor)?;
            if bytes.len() != wanted || !(bytes.as_ptr() as usize).is_multiple_of(width(&tensor)?) {
                let sentence = format!("{} is not where {} says", tensor.name, graph_file.display());
                return Err(Error::new(ErrorKind::ModelInvalid, sentence));
            }
            Ok((tensor, bytes))
        });
        Ok(Self(lent.collect::<Result<_>>()?))
    }

    /// Has the session of `builder` take the tensors from here, where they must stay to its end.
    pub fn lend(&self, builder: &mut SessionBuilder) -> ort::Result<()> {
        for (tensor, bytes) in &self.0 {
            match tensor.data_type {
                data_type::UINT8 => lend::<u8>(builder, tensor, bytes)?,
                data_type::INT8 => lend::<i8>(builder, tensor, bytes)?,
                data_type::INT32 => lend::<i32>(builder, tensor, bytes)?,
                data_type::INT64 => lend::<i64>(builder, tensor, bytes)?,
                _ => lend::<f32>(builder, tensor, bytes)?,
            }
        }
        Ok(())
    }
}

fn width(tensor: &TensorProto) -> Result<usize> {
    match tensor.data_type {
        data_type::UINT8 | data_type::INT8 => Ok(1),
        data_type::FLOAT | data_type::INT32 => Ok(4),
        data_type::INT64 => Ok(8),
        other => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!("{} has elements of type {other}, which no copy has", tensor.name),
        )),
    }
}

fn lend<T: PrimitiveTensorElementType + std::fmt::Debug>(
    builder: &mut SessionBuilder,
    tensor: &TensorProto,
    bytes: &Bytes,
) -> ort::Result<()> {
    let memory = MemoryInfo::new(
        AllocationDevice::CPU,
        0,
        AllocatorType::Device,
        MemoryType::CPUOutput,
    )?;
    let data = bytes.as_ptr().cast_mut().cast();
    // SAFETY: `map` saw to size and alignment; whoever borrows keeps the map alive; ONNX Runtime only reads
    // initialisers, so that the map may be read-only.
    let value = unsafe { TensorRefMut::<T>::from_raw(memory, data, tensor.dims.clone().into())? };
    let name = CString::new(tensor.name.as_str())?;
    // SAFETY: the builder, the name and the value are alive, and there is one of each; the session options keep a
    // reference of their own to the value. ort's own method for this wants a value that owns its data.
    unsafe {
        let status = (ort::api().AddExternalInitializers)(builder.ptr_mut(), &name.as_ptr(), &value.ptr(), 1);
        ort::Error::result_from_status(status)
    }
}
