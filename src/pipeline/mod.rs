//! The way of a text: tokenizer, batch, session, pooling, on the threads of the scheduler, behind one embedder.

pub mod batch;
pub mod call;
mod deadlines;
pub mod embedder;
mod estimate;
pub mod export;
mod faults;
mod heap;
mod lane;
mod loading;
pub mod pooling;
mod priority;
mod queue;
mod scheduler;
#[cfg(all(test, feature = "shuttle"))]
mod schedules;
pub mod session;
mod shared;
pub mod stats;
mod sync;
pub mod tokenizer;
mod trie;
mod unigram;
mod weights;
mod worker;
