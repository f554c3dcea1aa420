//! Weights that are mapped once and lent to every session of this process that opens their graph.
//!
//! ONNX Runtime would map the same file again for each session. The pages would be shared all the same, but every map
//! counts as resident memory of its own.

#![allow(unsafe_code, reason = "mapped weights are lent to ONNX Runtime")]

use std::path::Path;
use std::ptr::NonNull;

use bytes::Bytes;
use ort::AsPointer;
use ort::memory::{Allocator, MemoryInfo};
use ort::session::builder::SessionBuilder;
use ort::value::DynValue;

use crate::error::{Error, ErrorKind, Result};
use crate::model::onnx::{EXTERNAL, TensorProto, data_type};
use crate::model::packing::is_packable;
use crate::model::prepare::DATA_FILE;
use crate::model::source::Source;
use crate::model::writer::write_model;
use crate::operators::DOMAIN;

/// Tensors of a graph as windows into maps.
#[derive(Debug)]
pub struct Weights {
    tensors: Vec<(TensorProto, Bytes)>,
    /// The graph's outputs whose texts can lie packed.
    packed: Vec<String>,
}

/// Smaller tensors stay in the graph.
const WORTH_LENDING: usize = 1024;

impl Weights {
    /// Maps the weights of a graph of our operators; none if `graph_file` is one of ONNX Runtime's.
    ///
    /// # Errors
    /// [`ErrorKind::ModelNotFound`] or [`ErrorKind::ModelInvalid`], when the files are not those of a copy.
    pub fn of_copy(graph_file: &Path) -> Result<Option<Self>> {
        let mut source = Source::open(graph_file)?;
        let graph = source.model.graph.clone().unwrap_or_default();
        // ONNX Runtime imports every domain that it knows into the graphs that it writes, so only nodes tell.
        if !graph.node.iter().any(|node| node.domain == DOMAIN) {
            return Ok(None);
        }
        let outputs = graph.output.iter().map(|output| output.name.as_str());
        let packed = outputs
            .filter(|output| is_packable(&graph, output))
            .map(str::to_owned)
            .collect();
        let outside = graph
            .initializer
            .into_iter()
            .filter(|tensor| tensor.data_location == EXTERNAL);
        let lent = outside.map(|tensor| {
            let bytes = source.bytes(&tensor)?;
            // Their sizes were checked when the file was opened.
            let is_aligned = (bytes.as_ptr() as usize).is_multiple_of(size_of::<i64>());
            if !data_type::LENT.contains(&tensor.data_type) || !is_aligned {
                let sentence = format!("{} is not what {} lends", tensor.name, graph_file.display());
                return Err(Error::new(ErrorKind::ModelInvalid, sentence));
            }
            Ok((tensor, bytes))
        });
        let tensors = lent.collect::<Result<_>>()?;
        Ok(Some(Self { tensors, packed }))
    }

    /// Maps the large `f32` tensors of a model as it was published, wherever they lie, and writes `skeleton`, its graph
    /// without them. ONNX Runtime wants a file to be where a skeleton says that its tensors are, but reads nothing of what
    /// it is lent: they are said to be in the copy's weights, beside the skeleton.
    ///
    /// # Errors
    /// [`ErrorKind::ModelNotFound`] or [`ErrorKind::ModelInvalid`], when the files are no model; [`ErrorKind::Internal`] when
    /// the skeleton cannot be written.
    pub fn of_model(graph_file: &Path, skeleton: &Path) -> Result<Self> {
        let mut source = Source::open(graph_file)?;
        let mut model = source.model.clone();
        let mut tensors = Vec::new();
        if let Some(graph) = &mut model.graph {
            let constants = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
            for constant in constants.filter_map(|attribute| attribute.t.as_mut()) {
                source.inline(constant)?;
            }
        }
        for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
            source.inline(tensor)?;
            if tensor.data_type != data_type::FLOAT || tensor.raw_data.len() < WORTH_LENDING {
                continue;
            }
            let bytes = std::mem::take(&mut tensor.raw_data);
            *tensor = TensorProto::outside(
                &tensor.name,
                tensor.data_type,
                &tensor.shape(),
                DATA_FILE,
                0,
                bytes.len(),
            );
            tensors.push((tensor.clone(), bytes));
        }
        write_model(&model, skeleton)?;
        Ok(Self {
            tensors,
            packed: Vec::new(),
        })
    }

    /// Whether texts of different lengths can share a run whose result is `output`.
    #[must_use]
    pub fn packs(&self, output: &str) -> bool {
        self.packed.iter().any(|packed| packed == output)
    }

    /// Has the session of `builder` take the tensors from here, where they must stay to its end.
    pub fn lend(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (tensor, bytes) in &self.tensors {
            builder = builder.with_initializer(&tensor.name, view(tensor, bytes)?)?;
        }
        Ok(builder)
    }
}

/// A view of the map; it is valid as long as the [`Weights`] that it was made from.
fn view(tensor: &TensorProto, bytes: &Bytes) -> ort::Result<DynValue> {
    use ort::sys::ONNXTensorElementDataType as Element;
    let element = match tensor.data_type {
        data_type::UINT8 => Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
        data_type::INT8 => Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
        data_type::INT32 => Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
        data_type::INT64 => Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        _ => Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
    };
    let memory = MemoryInfo::default();
    let mut value = std::ptr::null_mut();
    // SAFETY: size and, for our own operators, alignment were checked (ONNX Runtime's own read weights at any address,
    // as those of a published file lie); whoever borrows keeps the map alive; ONNX Runtime only reads initialisers, so
    // that the map may be read-only. ort's own constructors want data that they may own or write.
    unsafe {
        let status = (ort::api().CreateTensorWithDataAsOrtValue)(
            memory.ptr(),
            bytes.as_ptr().cast_mut().cast(),
            bytes.len(),
            tensor.dims.as_ptr(),
            tensor.dims.len(),
            element,
            &raw mut value,
        );
        ort::Error::result_from_status(status)?;
        let value = NonNull::new(value).ok_or_else(|| ort::Error::new("ONNX Runtime made no tensor"))?;
        Ok(DynValue::from_ptr(value, Some(&Allocator::default())))
    }
}
