//! What a worker does with its work: tokenise a chunk, run a micro-batch, and keep what goes wrong to the calls it is about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::call::Call;
use super::faults::{self, Point};
use super::lane::{Chunk, Entry, Row, Work};
use super::priority;
use super::queue::Role;
use super::session::Model;
use super::shared::{Running, Shared};
use super::tokenizer::{Sequence, Tokenizer};
use crate::error::{Error, ErrorKind, Result};

/// What a call is rejected with that a worker panicked over.
fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "A worker panicked during a call")
}

/// How a piece of work ended.
enum Ended {
    Whole,
    /// With what became of each text.
    Tokenized(Chunk, Vec<Option<Sequence>>),
    /// Not all of it ran, and the calls of what did not are rejected.
    Broken,
    /// None of it ran.
    GaveWay(Vec<Row>),
}

/// One thread's part of an embedder.
pub struct Worker<'a, M> {
    pub shared: &'a Shared,
    /// Among the workers.
    pub place: usize,
    pub role: Role,
    pub model: M,
    /// Here and nowhere else, as the model is: it is freed with the threads, not when the embedder's object is collected.
    pub tokenizer: Arc<Tokenizer>,
}

impl<M: Model> Worker<'_, M> {
    /// Works until the embedder has ended.
    pub fn serve(mut self) {
        if self.role == Role::Narrow {
            priority::stand_back();
        }
        let shared = self.shared;
        let mut state = shared.lock();
        while state.ended.is_none() {
            let next = state.queue.next(self.place, self.role, Instant::now());
            let Some((priority, work)) = next else {
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            // A test can only have this panic.
            drop(faults::pass(Point::Locked));
            if !state.queue.is_empty() {
                shared.work.notify_all();
            }
            drop(state);
            let ended = match work {
                Work::Tokenize(chunk) => self.tokenize(chunk),
                Work::Run(rows) => self.run(rows),
            };
            // All under one lock: nobody is to see work that is ready and this worker still busy with making it so.
            state = shared.lock();
            let is_done = matches!(ended, Ended::Whole | Ended::Tokenized(..));
            state.queue.release(self.place, is_done, Instant::now());
            match ended {
                Ended::Whole | Ended::Broken => {}
                Ended::Tokenized(chunk, sequences) => state.queue.tokenized(priority, &chunk, sequences),
                Ended::GaveWay(rows) => match state.ended {
                    // Whoever ended the embedder has not seen them, neither as what runs nor in the queue.
                    Some(refusal) => rows.iter().for_each(|row| {
                        row.entry.call.reject(refusal());
                    }),
                    None => state.queue.put_back(priority, rows),
                },
            }
            // Who may take what depends on who is busy: what this worker must leave may now be another's.
            shared.work.notify_all();
        }
    }

    fn tokenize(&self, chunk: Chunk) -> Ended {
        let tokenize = |entry: &Entry| {
            let call = &entry.call;
            if call.is_settled() {
                return None;
            }
            let outcome = faults::pass(Point::Tokenize)
                .and_then(|()| {
                    let text = call.texts.get(entry.index);
                    text.ok_or_else(|| Error::new(ErrorKind::Internal, "A text left its call"))
                })
                .and_then(|text| self.tokenizer.encode(text))
                .and_then(|sequence| call.tokenized(entry.index, &sequence).map(|()| sequence));
            match outcome {
                Ok(sequence) => Some(sequence),
                Err(error) => {
                    self.reject(call, error);
                    None
                }
            }
        };
        let guarded = |entry: &Entry| {
            catch_unwind(AssertUnwindSafe(|| tokenize(entry))).unwrap_or_else(|_| {
                self.reject(&entry.call, panicked());
                None
            })
        };
        let sequences = chunk.entries.iter().map(guarded).collect();
        Ended::Tokenized(chunk, sequences)
    }

    /// Runs rows together. When that fails, the rows of each call are run again by themselves, so that a call
    /// fails only through its own texts.
    fn run(&mut self, rows: Vec<Row>) -> Ended {
        let mut calls: Vec<Arc<Call>> = Vec::new();
        for row in &rows {
            if !calls.iter().any(|call| Arc::ptr_eq(call, &row.entry.call)) {
                calls.push(Arc::clone(&row.entry.call));
            }
        }
        let error = match self.try_run(&rows, &calls, true) {
            Ok(true) => return Ended::Whole,
            Ok(false) => return Ended::GaveWay(rows),
            Err(error) => error,
        };
        let failed: Vec<_> = calls.into_iter().filter(|call| !call.is_settled()).collect();
        if let [call] = failed.as_slice() {
            self.reject(call, error);
            return Ended::Broken;
        }
        for call in failed {
            let own = |row: &&Row| Arc::ptr_eq(&row.entry.call, &call);
            let rows: Vec<_> = rows.iter().filter(own).collect();
            if let Err(error) = self.try_run(&rows, std::slice::from_ref(&call), false) {
                self.reject(&call, error);
            }
        }
        Ended::Broken
    }

    /// Rejects a call through no wish of its caller.
    fn reject(&self, call: &Call, error: Error) {
        // Counted first: whoever has the error can rely on the figures.
        if !call.is_settled() {
            self.shared.recorder.failed();
            call.reject(error);
        }
    }

    /// Says whether the rows ran, which they did not if they gave way.
    fn try_run<R: std::borrow::Borrow<Row>>(
        &mut self,
        rows: &[R],
        calls: &[Arc<Call>],
        may_give_way: bool,
    ) -> Result<bool> {
        let stop = self.model.stop_handle()?;
        let stopped = stop.clone();
        let running = Running {
            calls: calls.to_vec(),
            may_give_way,
            stop: Box::new(move || M::stop(&stopped)),
        };
        running.stop_if_unwanted();
        self.announce(Some(running));
        let sequences: Vec<&Sequence> = rows.iter().map(|row| &row.borrow().sequence).collect();
        let run = || {
            faults::pass(Point::Run)?;
            self.model.run(&sequences, &stop)
        };
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked()));
        let gives_way = self.announce(None);
        if outcome.is_err() && gives_way {
            return Ok(false);
        }
        let (vectors, dimension) = outcome?;
        // A graph can give vectors of another width than it gave at load.
        if vectors.len() != rows.len() * dimension || calls.iter().any(|call| call.dimension != dimension) {
            let sentence = format!("The model gave vectors of {dimension} numbers, unlike at load");
            return Err(Error::new(ErrorKind::Inference, sentence));
        }
        let answer = || self.answer(rows, &vectors, dimension);
        if catch_unwind(AssertUnwindSafe(answer)).is_err() {
            // Not to be run again: some of its texts are answered.
            calls.iter().for_each(|call| self.reject(call, panicked()));
        }
        Ok(true)
    }

    /// Hands each row its vector.
    fn answer<R: std::borrow::Borrow<Row>>(&self, rows: &[R], vectors: &[f32], dimension: usize) {
        for (row, vector) in rows.iter().zip(vectors.chunks_exact(dimension.max(1))) {
            let Row { entry, sequence } = row.borrow();
            // Counted first: whoever has the result can rely on the figures.
            let lane = entry.call.lane;
            let tokens = sequence.ids.len();
            self.shared
                .recorder
                .text(lane, tokens, sequence.truncated(), entry.call.accepted);
            let answering = |latency| self.shared.recorder.answered(lane, latency);
            entry.call.embedded(entry.index, sequence, vector, answering);
        }
    }

    /// Tells the others what this worker runs. Whoever cancels or closes from now on can stop it; whoever did so
    /// before is seen here. Says whether what it has run until now was told to make way.
    fn announce(&self, running: Option<Running>) -> bool {
        let mut state = self.shared.lock();
        if let Some(running) = &running {
            if let Some(refusal) = state.ended {
                running.calls.iter().for_each(|call| {
                    call.reject(refusal());
                });
            }
            running.stop_if_unwanted();
        }
        if let Some(place) = state.running.get_mut(self.place) {
            *place = running;
        }
        state.queue.gives_way(self.place)
    }
}
