//! ONNX files: the protobuf messages, reading over a memory map without copying weights, writing weights beside the graph.

#![allow(unsafe_code, reason = "a model file is mapped")]

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use memmap2::Mmap;
use prost::Message;

use super::tensors;
use crate::error::{Context, Error, ErrorKind, Result};

/// `TensorProto.DataType` values in use here.
pub mod data_type {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;

    /// Those that a copy keeps beside its graph, to be lent to sessions; others stay in the graph.
    pub const LENT: [i32; 5] = [FLOAT, UINT8, INT8, INT32, INT64];
}

/// `AttributeProto.AttributeType` values in use here.
pub mod attribute_type {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const INTS: i32 = 7;
}

/// `TensorProto.data_location` of a tensor whose bytes are in another file.
pub const EXTERNAL: i32 = 1;

/// A whole file. Parts that nothing here looks into stay bytes.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(string, tag = "4")]
    pub domain: String,
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    #[prost(bytes = "bytes", repeated, tag = "25")]
    pub functions: Vec<Bytes>,
}

/// A domain of operators and its version.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and a value.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes in an order in which they can run.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    #[prost(bytes = "bytes", repeated, tag = "15")]
    pub sparse_initializer: Vec<Bytes>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub domain: String,
    #[prost(string, tag = "8")]
    pub overload: String,
}

/// A constant parameter of a node. Subgraphs stay bytes: what they read from outside is in [`NodeProto::reads`].
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub s: Bytes,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphProto>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
}

/// A constant tensor, its bytes here or in another file.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// Name and type of an input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub r#type: Bytes,
}

impl NodeProto {
    /// A node of `domain` with one output.
    pub fn new(op_type: &str, domain: &str, inputs: Vec<String>, output: &str) -> Self {
        Self {
            input: inputs,
            output: vec![output.to_owned()],
            name: format!("{output}/{op_type}"),
            op_type: op_type.to_owned(),
            domain: domain.to_owned(),
            ..Self::default()
        }
    }

    /// The same node with an integer attribute.
    #[must_use]
    pub fn with_int(mut self, name: &str, i: i64) -> Self {
        self.attribute.push(AttributeProto {
            name: name.to_owned(),
            i,
            r#type: attribute_type::INT,
            ..Default::default()
        });
        self
    }

    /// The same node with a float attribute.
    #[must_use]
    pub fn with_float(mut self, name: &str, f: f32) -> Self {
        self.attribute.push(AttributeProto {
            name: name.to_owned(),
            f,
            r#type: attribute_type::FLOAT,
            ..Default::default()
        });
        self
    }

    /// The attribute called `name`.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// The tensors that are attributes of the node.
    pub fn constants(&self) -> impl Iterator<Item = &TensorProto> {
        self.attribute.iter().filter_map(|attribute| attribute.t.as_ref())
    }

    /// Every value that the node reads, its subgraphs included.
    pub fn reads(&self) -> Vec<&str> {
        let mut values: Vec<&str> = self
            .input
            .iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty())
            .collect();
        for attribute in &self.attribute {
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                values.extend(graph.output.iter().map(|output| output.name.as_str()));
                values.extend(graph.node.iter().flat_map(Self::reads));
            }
        }
        values
    }
}

impl TensorProto {
    /// A small tensor whose bytes stand in the graph itself.
    pub fn inline(name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            data_type,
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            raw_data: raw_data.into(),
            ..Self::default()
        }
    }

    /// A tensor whose bytes lie in another file.
    pub fn outside(
        name: &str,
        data_type: i32,
        dims: &[usize],
        location: &str,
        offset: usize,
        length: usize,
    ) -> Self {
        let entry = |key: &str, value: String| StringStringEntryProto {
            key: key.to_owned(),
            value,
        };
        Self {
            name: name.to_owned(),
            data_type,
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_location: EXTERNAL,
            external_data: vec![
                entry("location", location.to_owned()),
                entry("offset", offset.to_string()),
                entry("length", length.to_string()),
            ],
            ..Self::default()
        }
    }

    /// What is said of the place in another file: its `location`, `offset` or `length`.
    pub fn external(&self, key: &str) -> Option<&str> {
        let entry = self.external_data.iter().find(|entry| entry.key == key);
        entry.map(|entry| entry.value.as_str())
    }

    /// The dimensions, or an empty list if one is negative.
    pub fn shape(&self) -> Vec<usize> {
        self.dims
            .iter()
            .map(|&dim| usize::try_from(dim))
            .collect::<std::result::Result<_, _>>()
            .unwrap_or_default()
    }
}

/// A model file and the files that its tensors point into, all mapped.
#[derive(Debug)]
pub struct Source {
    /// The file's content; tensors are windows into the map.
    pub model: ModelProto,
    folder: PathBuf,
    others: HashMap<String, Bytes>,
}

impl Source {
    /// Maps and decodes `path`.
    ///
    /// # Errors
    /// `ModelNotFound` when the file cannot be read, `ModelInvalid` when it is not ONNX or uses parts of the format that
    /// are not supported here (functions, sparse tensors), or a tensor's shape and bytes do not fit each other.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = map(path)?;
        let model = ModelProto::decode(bytes).context(ErrorKind::ModelInvalid, || {
            format!("{} is not an ONNX file", path.display())
        })?;
        if model.graph.is_none() {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!("{} holds no graph", path.display()),
            ));
        }
        if !model.functions.is_empty()
            || model
                .graph
                .iter()
                .any(|graph| !graph.sparse_initializer.is_empty())
        {
            let what = format!("{} uses ONNX functions or sparse tensors", path.display());
            return Err(Error::new(ErrorKind::ModelInvalid, what));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut source = Self {
            model,
            folder,
            others: HashMap::new(),
        };
        tensors::check(&mut source)?;
        Ok(source)
    }

    /// Names of the graph's outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<String> {
        let graph = self.model.graph.as_ref();
        graph
            .into_iter()
            .flat_map(|graph| &graph.output)
            .map(|output| output.name.clone())
            .collect()
    }

    /// The other files that constants lie in.
    #[must_use]
    pub fn data_files(&self) -> Vec<PathBuf> {
        let graph = self.model.graph.as_ref();
        let initializers = graph.into_iter().flat_map(|graph| &graph.initializer);
        let constants = graph
            .into_iter()
            .flat_map(|graph| &graph.node)
            .flat_map(NodeProto::constants);
        let locations: BTreeSet<&str> = initializers
            .chain(constants)
            .filter(|tensor| tensor.data_location == EXTERNAL)
            .filter_map(|tensor| tensor.external("location"))
            .collect();
        locations
            .into_iter()
            .map(|location| self.folder.join(location))
            .collect()
    }

    /// Moves the bytes of `tensor` from another file into the graph.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn inline(&mut self, tensor: &mut TensorProto) -> Result<()> {
        if tensor.data_location == EXTERNAL {
            tensor.raw_data = self.bytes(tensor)?;
            tensor.data_location = 0;
            tensor.external_data.clear();
        }
        Ok(())
    }

    /// The bytes of a tensor in the order of the file format, little-endian.
    ///
    /// # Errors
    /// `ModelNotFound` and `ModelInvalid`, when they are in another file that is missing, too short, or outside the folder.
    pub fn bytes(&mut self, tensor: &TensorProto) -> Result<Bytes> {
        if tensor.data_location != EXTERNAL {
            return Ok(if !tensor.raw_data.is_empty() {
                tensor.raw_data.clone()
            } else if !tensor.float_data.is_empty() {
                tensor
                    .float_data
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect()
            } else {
                tensor
                    .int64_data
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect()
            });
        }
        let invalid = || {
            Error::new(
                ErrorKind::ModelInvalid,
                format!("Tensor {} has no valid place in its data file", tensor.name),
            )
        };
        let number = |key, default| {
            tensor
                .external(key)
                .map_or(Some(default), |value| value.parse::<usize>().ok())
        };
        let location = tensor.external("location").ok_or_else(invalid)?;
        if !Path::new(location)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(invalid());
        }
        let file = match self.others.get(location) {
            Some(file) => file.clone(),
            None => {
                let file = map(&self.folder.join(location))?;
                self.others.insert(location.to_owned(), file.clone());
                file
            }
        };
        let start = number("offset", 0).ok_or_else(invalid)?;
        let length = number("length", file.len().saturating_sub(start)).ok_or_else(invalid)?;
        let end = start
            .checked_add(length)
            .filter(|&end| end <= file.len())
            .ok_or_else(invalid)?;
        Ok(file.slice(start..end))
    }

    /// The values of an `f32` tensor.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and `ModelInvalid` when type, shape and bytes do not fit each other.
    pub fn floats(&mut self, tensor: &TensorProto) -> Result<Vec<f32>> {
        let bytes = self.bytes(tensor)?;
        let values: Vec<f32> = floats_of(&bytes).collect();
        if tensor.data_type != data_type::FLOAT || values.len() != tensor.shape().iter().product::<usize>() {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!("Tensor {} is not a whole f32 tensor", tensor.name),
            ));
        }
        Ok(values)
    }
}

/// Little-endian `f32` values, wherever they start.
pub fn floats_of(bytes: &[u8]) -> impl ExactSizeIterator<Item = f32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
}

fn map(path: &Path) -> Result<Bytes> {
    let not_found = || format!("Cannot read {}", path.display());
    // Opening a pipe would wait for a writer.
    if !path.is_file() {
        return Err(Error::new(
            ErrorKind::ModelNotFound,
            format!("{} is not a file", path.display()),
        ));
    }
    let file = File::open(path).context(ErrorKind::ModelNotFound, not_found)?;
    // SAFETY: model files are not changed in place; whoever replaces one writes a new file and renames it.
    let map = unsafe { Mmap::map(&file) }.context(ErrorKind::ModelNotFound, not_found)?;
    Ok(Bytes::from_owner(map))
}

/// Writes large tensors one after the other into a file beside the graph.
#[derive(Debug)]
pub struct DataWriter {
    file: BufWriter<File>,
    path: PathBuf,
    name: String,
    offset: usize,
}

/// Pages, so that each tensor can be mapped by itself on every system (Windows maps from multiples of 64 KiB).
const LARGE_ALIGNMENT: usize = 65_536;
/// Cache lines, for tensors too small for their own page to matter.
const SMALL_ALIGNMENT: usize = 64;

impl DataWriter {
    /// Creates `folder/name`.
    ///
    /// # Errors
    /// `Internal` with the cause when the file cannot be created.
    pub fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let file = File::create(&path).context(ErrorKind::Internal, || {
            format!("Cannot create {}", path.display())
        })?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            path,
            name: name.to_owned(),
            offset: 0,
        })
    }

    /// Starts a tensor and answers how to refer to it; exactly `length` bytes must follow through [`write`](Self::write).
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn begin(
        &mut self,
        name: &str,
        data_type: i32,
        dims: &[usize],
        length: usize,
    ) -> Result<TensorProto> {
        let alignment = if length >= LARGE_ALIGNMENT {
            LARGE_ALIGNMENT
        } else {
            SMALL_ALIGNMENT
        };
        let start = self.offset.next_multiple_of(alignment);
        self.write(&vec![0; start - self.offset])?;
        Ok(TensorProto::outside(
            name, data_type, dims, &self.name, start, length,
        ))
    }

    /// Appends bytes of the tensor begun last.
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.offset += bytes.len();
        self.file.write_all(bytes).context(ErrorKind::Internal, || {
            format!("Cannot write {}", self.path.display())
        })
    }

    /// Writes a whole tensor.
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn tensor(
        &mut self,
        name: &str,
        data_type: i32,
        dims: &[usize],
        bytes: &[u8],
    ) -> Result<TensorProto> {
        let tensor = self.begin(name, data_type, dims, bytes.len())?;
        self.write(bytes)?;
        Ok(tensor)
    }

    /// Where the next tensor will begin.
    #[must_use]
    pub fn position(&self) -> usize {
        self.offset
    }

    /// Forgets everything from `position` on; nobody may have that part mapped.
    ///
    /// # Errors
    /// `Internal` with the cause when the file cannot be cut.
    pub fn rewind(&mut self, position: usize) -> Result<()> {
        let failed = || format!("Cannot rewrite {}", self.path.display());
        self.file.flush().context(ErrorKind::Internal, failed)?;
        self.file
            .get_mut()
            .set_len(position as u64)
            .context(ErrorKind::Internal, failed)?;
        self.file
            .seek(SeekFrom::Start(position as u64))
            .context(ErrorKind::Internal, failed)?;
        self.offset = position;
        Ok(())
    }

    /// Hands everything written so far to the system, so that others can map it.
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().context(ErrorKind::Internal, || {
            format!("Cannot write {}", self.path.display())
        })
    }
}

/// Encodes `model` into `path`.
///
/// # Errors
/// `Internal` with the cause when the file cannot be written.
pub fn write_model(model: &ModelProto, path: &Path) -> Result<()> {
    let failed = || format!("Cannot write {}", path.display());
    let mut file = File::create(path).context(ErrorKind::Internal, failed)?;
    file.write_all(&model.encode_to_vec())
        .context(ErrorKind::Internal, failed)
}
