//! A model on disk: what its files say, and copies of it that load faster.

pub mod catalog;
pub mod folder;
