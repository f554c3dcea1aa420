//! One call on its way: what was asked, what is done so far, and the one settlement it gets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ndarray::ArrayViewMut1;

use super::pooling;
use super::tokenizer::Sequence;
use crate::config::{Overflow, PROGRESS_INTERVAL, Priority};
use crate::error::{Error, ErrorKind, Result};

/// What a call gives back.
#[derive(Debug, Default)]
pub struct Embeddings {
    /// One row a text, in input order: `vectors [texts, dimension]`, row-major. Empty for a call that only counts.
    pub vectors: Vec<f32>,
    /// Numbers in one vector.
    pub dimension: usize,
    /// Tokens of each text before truncation, special tokens included.
    pub token_counts: Vec<u32>,
    /// Whether the text had more tokens than the model reads.
    pub truncated: Vec<bool>,
}

/// Receives the result, once, on a thread of the scheduler or of whoever cancels.
pub type Settle = Box<dyn FnOnce(Result<Embeddings>) + Send>;

/// Receives `(done, total)` now and then before the settlement.
pub type Progress = Box<dyn Fn(usize, usize) + Send>;

/// What a call wants to have done with its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A vector for each text.
    Embed {
        /// What happens to texts that are too long.
        overflow: Overflow,
        /// Scale vectors to unit length.
        normalize: bool,
    },
    /// Only the token counts.
    Count,
}

/// A call that was accepted.
pub struct Call {
    /// The texts, in input order.
    pub texts: Vec<String>,
    /// The lane that it waits in.
    pub lane: Priority,
    /// What is to be done.
    pub purpose: Purpose,
    /// Numbers in each vector that it waits for.
    pub dimension: usize,
    /// When it began.
    pub accepted: Instant,
    settled: AtomicBool,
    state: Mutex<State>,
}

struct State {
    result: Embeddings,
    remaining: usize,
    settle: Option<Settle>,
    progress: Option<Progress>,
    last_progress: Instant,
}

/// What calls are rejected with once a thread of an embedder has died.
pub fn broken() -> Error {
    Error::new(
        ErrorKind::Internal,
        "A thread of the embedder panicked: close it and load another",
    )
}

impl Drop for Call {
    /// Whoever loses a call, the one who waits for it is told.
    fn drop(&mut self) {
        self.reject(broken());
    }
}

impl Call {
    /// A call for `texts`, with room for its result of `dimension` numbers a text.
    ///
    /// # Errors
    /// [`ErrorKind::Inference`] when there is not enough memory for the result.
    pub fn new(
        texts: Vec<String>,
        lane: Priority,
        purpose: Purpose,
        dimension: usize,
        progress: Option<Progress>,
        settle: Settle,
    ) -> std::result::Result<Self, (Error, Settle)> {
        let numbers = match purpose {
            Purpose::Embed { .. } => texts.len().saturating_mul(dimension),
            Purpose::Count => 0,
        };
        let mut vectors = Vec::new();
        if let Err(cause) = vectors.try_reserve_exact(numbers) {
            let sentence = format!("Not enough memory for the vectors of {} texts", texts.len());
            return Err((
                Error::new(ErrorKind::Inference, sentence).with_source(cause),
                settle,
            ));
        }
        vectors.resize(numbers, 0.0);
        let accepted = Instant::now();
        Ok(Self {
            state: Mutex::new(State {
                remaining: texts.len(),
                result: Embeddings {
                    vectors,
                    dimension,
                    token_counts: vec![0; texts.len()],
                    truncated: vec![false; texts.len()],
                },
                settle: Some(settle),
                progress,
                last_progress: accepted,
            }),
            texts,
            lane,
            purpose,
            dimension,
            accepted,
            settled: AtomicBool::new(false),
        })
    }

    /// Whether the result was delivered: nothing more needs to be done for this call.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Checks the tokens of text `index` and, for a call that only counts, finishes that text.
    ///
    /// # Errors
    /// [`ErrorKind::TooLong`] when the text is too long and the call does not want it truncated.
    pub fn tokenized(&self, index: usize, sequence: &Sequence) -> Result<()> {
        match self.purpose {
            Purpose::Embed {
                overflow: Overflow::Error,
                ..
            } if sequence.truncated() => Err(Error::new(
                ErrorKind::TooLong,
                format!(
                    "Expected at most {} tokens for {} but it has {}; shorten it, or use overflow: 'truncate'",
                    sequence.ids.len(),
                    if self.texts.len() == 1 {
                        "the text".to_owned()
                    } else {
                        format!("texts[{index}]")
                    },
                    sequence.count
                ),
            )),
            Purpose::Embed { .. } => Ok(()),
            Purpose::Count => {
                self.finish_text(index, sequence, &[], |_| {});
                Ok(())
            }
        }
    }

    /// Takes the pooled `vector [dimension]` of text `index`. If it is the last one, `answering` is called before the
    /// result is delivered, with the time that the call took.
    pub fn embedded(
        &self,
        index: usize,
        sequence: &Sequence,
        vector: &[f32],
        answering: impl FnOnce(Duration),
    ) {
        self.finish_text(index, sequence, vector, answering);
    }

    /// Settles the call with `error`, unless it is settled already; says whether this did it.
    pub fn reject(&self, error: Error) -> bool {
        let mut state = self.lock();
        let settle = self.take_settlement(&mut state);
        let result = std::mem::take(&mut state.result);
        drop(state);
        let Some(settle) = settle else { return false };
        // Others may hold on to the call for a while: not to what nobody will get.
        drop(result);
        settle(Err(error));
        true
    }

    fn finish_text(
        &self,
        index: usize,
        sequence: &Sequence,
        vector: &[f32],
        answering: impl FnOnce(Duration),
    ) {
        let mut state = self.lock();
        let dimension = self.dimension;
        if let Purpose::Embed { normalize, .. } = self.purpose
            && let Some(row) = state
                .result
                .vectors
                .get_mut(index * dimension..(index + 1) * dimension)
            && row.len() == vector.len()
        {
            row.copy_from_slice(vector);
            if normalize {
                pooling::normalize(ArrayViewMut1::from(row));
            }
        }
        if let Some(count) = state.result.token_counts.get_mut(index) {
            *count = u32::try_from(sequence.count).unwrap_or(u32::MAX);
        }
        if let Some(truncated) = state.result.truncated.get_mut(index) {
            *truncated = sequence.truncated();
        }
        state.remaining = state.remaining.saturating_sub(1);
        if state.remaining == 0 {
            if let Some(settle) = self.take_settlement(&mut state) {
                let result = std::mem::take(&mut state.result);
                drop(state);
                answering(self.accepted.elapsed());
                settle(Ok(result));
            }
        } else if state.last_progress.elapsed() >= PROGRESS_INTERVAL && !self.is_settled() {
            state.last_progress = Instant::now();
            if let Some(progress) = &state.progress {
                progress(self.texts.len() - state.remaining, self.texts.len());
            }
        }
    }

    /// The settlement, if it is still to be made; what it held on to is let go of.
    fn take_settlement(&self, state: &mut State) -> Option<Settle> {
        let settle = state.settle.take()?;
        state.progress = None;
        self.settled.store(true, Ordering::Release);
        Some(settle)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not turn into a call that hangs: the state is valid between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
