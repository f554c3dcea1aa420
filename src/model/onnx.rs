//! The protobuf messages of ONNX files, as far as they are read and written here.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;

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

/// A constant parameter of a node.
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

impl GraphProto {
    /// Every constant: initializers and attributes of nodes, those of subgraphs included.
    pub fn constants(&self) -> Vec<&TensorProto> {
        let mut found: Vec<_> = self.initializer.iter().collect();
        for attribute in self.node.iter().flat_map(|node| &node.attribute) {
            found.extend(attribute.t.iter().chain(&attribute.tensors));
            let graphs = attribute.g.iter().chain(&attribute.graphs);
            found.extend(graphs.flat_map(Self::constants));
        }
        found
    }

    /// The other files that constants lie in, as the graph names them: relative to its own folder.
    pub fn locations(&self) -> BTreeSet<&str> {
        let outside = self
            .constants()
            .into_iter()
            .filter(|tensor| tensor.data_location == EXTERNAL);
        outside.filter_map(|tensor| tensor.external("location")).collect()
    }

    /// A model file of nothing but this graph.
    #[cfg(test)]
    pub fn into_file(self) -> Vec<u8> {
        let model = ModelProto {
            graph: Some(self),
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }
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
