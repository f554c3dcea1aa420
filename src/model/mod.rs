//! Models as files: reading, recognising, rewriting.

pub mod graph;
pub mod onnx;
pub mod parts;
pub mod patterns;
pub mod quantize;
