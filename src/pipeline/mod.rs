//! The way of a text: tokenizer, batch, session, pooling, on the threads of the scheduler, behind one embedder.

pub mod batch;
pub mod call;
pub mod embedder;
pub mod export;
mod faults;
mod heap;
mod lane;
mod loading;
pub mod pooling;
mod priority;
mod queue;
mod scheduler;
pub mod session;
pub mod stats;
pub mod tokenizer;
mod trie;
mod unigram;
mod weights;
