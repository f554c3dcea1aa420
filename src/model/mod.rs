//! A model on disk: what its files say, how they get there, and copies of it that load faster.

pub mod calibration;
pub mod catalog;
pub mod events;
pub mod fingerprint;
pub mod folder;
pub mod graph;
#[allow(missing_docs, reason = "the fields of ONNX are documented by ONNX")]
pub mod onnx;
pub mod packing;
pub mod parts;
pub mod patterns;
pub mod prepare;
mod quantize;
pub mod recipe;
pub mod rewrite;
pub mod source;
pub mod store;
mod tensors;
pub mod writer;
