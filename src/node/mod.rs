//! The Node binding: check arguments, convert, hand over to the pipeline, settle promises on the JavaScript thread.

mod arguments;
mod embedder;
mod errors;
mod events;
mod job;
mod teardown;
