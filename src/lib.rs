//! Sentence embeddings inside the process: text in, one row of numbers a text out.

pub mod error;
#[allow(missing_docs)]
pub mod kernels;
#[allow(missing_docs)]
pub mod model;
pub mod operators;
