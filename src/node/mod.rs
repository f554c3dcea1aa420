//! The Node binding: check arguments, convert, hand over to the pipeline, settle promises on the JavaScript thread.

#![allow(
    unsafe_code,
    reason = "values of JavaScript, whose type was checked, are cast to it"
)]

mod arguments;
mod arrays;
// Nothing registers functions for JavaScript in a test program.
#[cfg_attr(test, allow(dead_code))]
mod embedder;
mod errors;
mod events;
mod job;
#[cfg_attr(test, allow(dead_code))]
mod lock;
#[cfg_attr(test, allow(dead_code))]
mod report;
#[cfg_attr(test, allow(dead_code))]
mod store;
mod teardown;
#[cfg_attr(test, allow(dead_code))]
mod vectors;
