//! Sentence embeddings inside the process: text in, one row of numbers a text out.

pub mod config;
pub mod error;
pub mod model;
mod node;
pub mod pipeline;
pub mod runtime;
