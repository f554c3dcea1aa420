//! What the threads of an embedder have in common: the queue, what runs, what is late, and how all of it ends.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::call::{Call, Purpose};
use super::deadlines::Deadlines;
use super::faults::{self, Point};
use super::queue::Queue;
use super::stats::Recorder;
use super::sync::{Condvar, Mutex, MutexGuard};
use crate::config::Priority;
use crate::error::{Error, ErrorKind};

/// What the threads of an embedder have in common.
pub struct Shared {
    pub recorder: Recorder,
    state: Mutex<State>,
    /// Told when there may be work for a worker that had none.
    pub work: Condvar,
    deadline: Condvar,
}

/// What only one thread at a time may look at.
pub struct State {
    pub queue: Queue,
    /// What calls are rejected with from now on.
    pub ended: Option<fn() -> Error>,
    /// By the place of the worker.
    pub running: Vec<Option<Running>>,
    deadlines: Deadlines,
}

/// What a worker has in the model now.
pub struct Running {
    pub calls: Vec<Arc<Call>>,
    /// Whether it may be ended for interactive work, and is run again then.
    pub may_give_way: bool,
    /// Ends the run early.
    pub stop: Box<dyn Fn() + Send>,
}

impl Running {
    /// Stops the run if nobody waits for any of it.
    pub fn stop_if_unwanted(&self) {
        if self.calls.iter().all(|call| call.is_settled()) {
            (self.stop)();
        }
    }
}

impl State {
    /// Ends a run that must not be in the way of interactive work, which has just come.
    fn make_way(&mut self) {
        for (place, running) in self.running.iter().enumerate() {
            if let Some(running) = running
                && running.may_give_way
                && self.queue.make_way(place)
            {
                (running.stop)();
            }
        }
    }
}

impl Shared {
    /// For as many narrow workers, and a wide one, whose models run different lengths together if they `pack`.
    pub fn new(narrow: usize, pack: bool) -> Self {
        Self {
            recorder: Recorder::default(),
            state: Mutex::new(State {
                queue: Queue::new(narrow, pack),
                ended: None,
                running: (0..=narrow).map(|_| None).collect(),
                deadlines: Deadlines::default(),
            }),
            work: Condvar::new(),
            deadline: Condvar::new(),
        }
    }

    /// The state, whatever happened to a thread that had it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements; a panic must not turn into calls that hang.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a call, to be settled by `timeout` at the latest.
    pub fn submit(&self, call: Arc<Call>, timeout: Option<Duration>) {
        let mut state = self.lock();
        if let Some(refusal) = state.ended {
            drop(state);
            call.reject(refusal());
            return;
        }
        if timeout.is_some_and(|timeout| state.deadlines.push(&call, timeout, Instant::now())) {
            self.deadline.notify_one();
        }
        // What only counts needs no session.
        let needs_threads = call.lane == Priority::Interactive && call.purpose != Purpose::Count;
        state.queue.push(call);
        if needs_threads {
            state.make_way();
        }
        drop(state);
        self.work.notify_all();
    }

    /// Rejects every call that is not answered yet, and every later one, and ends all threads.
    pub fn end(&self, refusal: fn() -> Error) {
        let mut state = self.lock();
        state.ended = Some(refusal);
        let mut calls = state.queue.drain();
        for running in state.running.iter().flatten() {
            calls.extend(running.calls.iter().cloned());
        }
        calls.extend(state.deadlines.drain());
        drop(state);
        // Before their runs are stopped: a run that was stopped would reject them as failed.
        for call in calls {
            call.reject(refusal());
        }
        let state = self.lock();
        state.running.iter().flatten().for_each(Running::stop_if_unwanted);
        drop(state);
        self.work.notify_all();
        self.deadline.notify_all();
    }

    /// Settles a call with `error` unless it is settled already, and stops what only it waits for.
    pub fn cancel(&self, call: &Call, error: Error) {
        if call.reject(error) {
            // A worker looks again at what is settled after it has told what it runs, so one of the two sees it.
            let mut state = self.lock();
            state.queue.settled();
            state.running.iter().flatten().for_each(Running::stop_if_unwanted);
            drop(state);
            // Who may take what depends on what waits: what is left may now be for a worker that sleeps.
            self.work.notify_all();
        }
    }

    /// Rejects calls as they become late, until the embedder has ended.
    pub fn watch_deadlines(&self) {
        let mut state = self.lock();
        while state.ended.is_none() {
            // A test can only have this panic.
            drop(faults::pass(Point::Clock));
            let now = Instant::now();
            let due = state.deadlines.take_due(now);
            if !due.is_empty() {
                drop(state);
                for (timeout, call) in due {
                    if !call.is_settled() {
                        self.recorder.failed();
                        self.cancel(&call, timed_out(timeout));
                    }
                }
                state = self.lock();
                continue;
            }
            let next = state.deadlines.next();
            state = match next {
                Some(next) => {
                    let wait = next.saturating_duration_since(now);
                    self.deadline
                        .wait_timeout(state, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.deadline.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

fn timed_out(timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "The call did not finish within its timeoutMs of {}",
            timeout.as_millis()
        ),
    )
}
