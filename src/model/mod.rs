//! A model on disk: what its files say, how they get there, and copies of it that load faster.

pub mod catalog;
pub mod events;
pub mod fingerprint;
pub mod folder;
pub mod store;
