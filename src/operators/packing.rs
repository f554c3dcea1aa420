//! How the texts of a run lie in the tensors between our operators: each in rows of its own, or packed.
//!
//! Texts of different lengths run together without computing any padding: the tensors keep the shape that padding gives
//! them, `[batch_size, longest, columns]`, but the tokens of all texts lie in their first rows, one text after the other,
//! and what follows is neither written nor read. To a product rows are rows; only where a text begins must be known, by
//! the operators that embed and attend, and by who reads the output.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Outcome, check};

/// Shared by a session and its operators.
#[derive(Debug, Clone, Default)]
pub struct Packing(Arc<Mutex<Option<Arc<[usize]>>>>);

impl Packing {
    /// From the next run on, texts of these `lengths` are packed, or none are.
    pub fn set(&self, lengths: Option<Arc<[usize]>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lengths;
    }

    fn lengths(&self) -> Option<Arc<[usize]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many of `all` rows there are to compute.
    pub(super) fn rows(&self, all: usize) -> Outcome<usize> {
        let rows = self
            .lengths()
            .map_or(all, |lengths| lengths.iter().sum::<usize>());
        check(rows <= all, "Packed texts do not fit their tensor")?;
        Ok(rows)
    }

    /// The rows of each text of a tensor `[batch, tokens, columns]`.
    pub(super) fn texts(&self, batch: usize, tokens: usize) -> Outcome<Vec<Range<usize>>> {
        let Some(lengths) = self.lengths() else {
            return Ok((0..batch)
                .map(|text| text * tokens..(text + 1) * tokens)
                .collect());
        };
        check(
            lengths.len() == batch && lengths.iter().all(|&length| length <= tokens),
            "Packed texts do not fit their tensor",
        )?;
        let mut end = 0;
        let next = |&length: &usize| {
            let start = end;
            end += length;
            start..end
        };
        Ok(lengths.iter().map(next).collect())
    }
}
