//! Sentence embeddings inside the process: text in, one row of numbers a text out.

pub mod error;
#[allow(missing_docs)]
pub mod kernels;
