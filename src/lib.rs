//! Sentence embeddings inside the process: text in, one row of numbers a text out.

pub mod config;
pub mod environment;
pub mod error;
pub mod kernels;
pub mod model;
mod node;
pub mod operators;
pub mod pipeline;
pub mod runtime;
pub mod vectors;
