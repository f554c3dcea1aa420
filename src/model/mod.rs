//! A model on disk: what its files say, and copies of it that load faster.

pub mod calibration;
pub mod catalog;
pub mod folder;
pub mod graph;
#[allow(missing_docs, reason = "the fields of ONNX are documented by ONNX")]
pub mod onnx;
pub mod optimize;
pub mod parts;
pub mod patterns;
pub mod quantize;
