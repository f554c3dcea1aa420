//! Worker threads that serve the queue, and the three ways to end a call early: cancelling, its deadline, closing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::call::Call;
use super::priority;
use super::queue::{Chunk, Queue, Role, Row, Work};
use super::session::{Session, Stop};
use super::stats::{Recorder, Stats};
use super::tokenizer::{Sequence, Tokenizer};
use crate::config::Priority;
use crate::error::{Context, Error, ErrorKind, Result};

/// The sessions that the workers get, one each.
pub struct Sessions {
    /// One of all threads.
    pub wide: Session,
    /// One of a single thread for each thread; none when copies of the weights would cost too much memory.
    pub narrow: Vec<Session>,
}

/// The threads of one embedder.
pub struct Scheduler {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    tokenizer: Arc<Tokenizer>,
    recorder: Recorder,
    state: Mutex<State>,
    work: Condvar,
    deadline: Condvar,
}

struct State {
    queue: Queue,
    closed: bool,
    running: Vec<Option<Running>>,
    /// Calls that must be settled by a time, in no order: there are few.
    deadlines: Vec<(Instant, Duration, Arc<Call>)>,
}

/// What a worker has in the model now.
struct Running {
    calls: Vec<Arc<Call>>,
    stop: Stop,
}

impl Running {
    /// Stops the run if nobody waits for any of it.
    fn stop_if_unwanted(&self) {
        if self.calls.iter().all(|call| call.is_settled()) {
            self.stop.stop();
        }
    }
}

impl Scheduler {
    /// Starts a worker for each session, and a clock for deadlines.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the system gives no more threads.
    pub fn start(sessions: Sessions, tokenizer: Arc<Tokenizer>) -> Result<Self> {
        let narrow = sessions.narrow.len();
        let shared = Arc::new(Shared {
            tokenizer,
            recorder: Recorder::default(),
            state: Mutex::new(State {
                queue: Queue::new(narrow),
                closed: false,
                running: (0..=narrow).map(|_| None).collect(),
                deadlines: Vec::new(),
            }),
            work: Condvar::new(),
            deadline: Condvar::new(),
        });
        let scheduler = Self {
            shared: Arc::clone(&shared),
            threads: Mutex::new(Vec::new()),
        };
        let roles = std::iter::once((Role::Wide, sessions.wide))
            .chain(sessions.narrow.into_iter().map(|session| (Role::Narrow, session)));
        for (place, (role, session)) in roles.enumerate() {
            let shared = Arc::clone(&shared);
            scheduler.spawn(&format!("embedder-{place}"), move || {
                Worker {
                    shared,
                    place,
                    role,
                    session,
                }
                .serve()
            })?;
        }
        scheduler.spawn("embedder-clock", move || shared.watch_deadlines())?;
        Ok(scheduler)
    }

    /// Accepts a call, to be settled by `timeout` at the latest.
    pub fn submit(&self, call: Arc<Call>, timeout: Option<Duration>) {
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            call.reject(closed());
            return;
        }
        if let Some(timeout) = timeout {
            state
                .deadlines
                .push((Instant::now() + timeout, timeout, Arc::clone(&call)));
            self.shared.deadline.notify_one();
        }
        state.queue.push(call);
        drop(state);
        self.shared.work.notify_all();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Settles a call with `error` unless it is settled already, and stops what only it waits for.
    pub fn cancel(&self, call: &Call, error: Error) {
        self.shared.cancel(call, error);
    }

    /// The figures so far.
    pub fn stats(&self) -> Stats {
        let depths = {
            let state = self.shared.lock();
            Priority::ALL.map(|lane| state.queue.depth(lane))
        };
        self.shared.recorder.snapshot(depths)
    }

    /// Rejects every call that is not answered yet, and every later one. Returns at once; idempotent.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let mut calls = state.queue.drain();
        for running in state.running.iter().flatten() {
            calls.extend(running.calls.iter().cloned());
            running.stop.stop();
        }
        state.deadlines.clear();
        drop(state);
        self.shared.work.notify_all();
        self.shared.deadline.notify_all();
        for call in calls {
            call.reject(closed());
        }
    }

    /// Waits until every thread has ended and every session is freed. Only after [`close`](Self::close).
    pub fn join(&self) {
        // Held while waiting, so that a second closer waits as well.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A panic was turned into rejected calls where it happened.
            drop(thread.join());
        }
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .context(ErrorKind::Internal, || {
                format!("The thread {name} could not be started")
            })?;
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
        Ok(())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements; a panic must not turn into calls that hang.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self, call: &Call, error: Error) {
        if call.reject(error) {
            // A worker looks again at what is settled after it has told what it runs, so one of the two sees it.
            let state = self.lock();
            state.running.iter().flatten().for_each(Running::stop_if_unwanted);
        }
    }

    fn watch_deadlines(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            state.deadlines.retain(|(_, _, call)| !call.is_settled());
            let due = state.deadlines.iter().position(|(deadline, ..)| *deadline <= now);
            if let Some(position) = due {
                let (_, timeout, call) = state.deadlines.swap_remove(position);
                drop(state);
                self.recorder.failed();
                self.cancel(&call, timed_out(timeout));
                state = self.lock();
                continue;
            }
            let next = state.deadlines.iter().map(|(deadline, ..)| *deadline).min();
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

/// What calls are rejected with once an embedder is closed.
pub fn closed() -> Error {
    Error::new(ErrorKind::Closed, "The embedder is closed")
}

fn timed_out(timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "The call was not done within its timeoutMs of {}",
            timeout.as_millis()
        ),
    )
}

struct Worker {
    shared: Arc<Shared>,
    place: usize,
    role: Role,
    session: Session,
}

impl Worker {
    fn serve(mut self) {
        if self.role == Role::Narrow {
            priority::stand_back();
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        while !state.closed {
            let Some((priority, work)) = state.queue.next(self.role) else {
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if !state.queue.is_empty() {
                shared.work.notify_all();
            }
            drop(state);
            match work {
                Work::Tokenize(chunk) => self.tokenize(priority, &chunk),
                Work::Run(rows) => self.run(rows),
            }
            state = shared.lock();
            state.queue.release(self.role);
            // Who may take what depends on who is busy: what this worker must leave may now be another's.
            shared.work.notify_all();
        }
    }

    fn tokenize(&self, priority: Priority, chunk: &Chunk) {
        let sequences = chunk
            .entries
            .iter()
            .map(|entry| {
                let call = &entry.call;
                if call.is_settled() {
                    return None;
                }
                let outcome = call
                    .texts
                    .get(entry.index)
                    .ok_or_else(|| Error::new(ErrorKind::Internal, "A text left its call"))
                    .and_then(|text| self.shared.tokenizer.encode(text))
                    .and_then(|sequence| call.tokenized(entry.index, &sequence).map(|()| sequence));
                match outcome {
                    Ok(sequence) => Some(sequence),
                    Err(error) => {
                        self.shared.recorder.failed();
                        call.reject(error);
                        None
                    }
                }
            })
            .collect();
        self.shared.lock().queue.tokenized(priority, chunk, sequences);
    }

    /// Runs rows of one length. When that fails, the rows of each call are run again by themselves, so that a call
    /// fails only through its own texts.
    fn run(&mut self, rows: Vec<Row>) {
        let mut calls: Vec<Arc<Call>> = Vec::new();
        for row in &rows {
            if !calls.iter().any(|call| Arc::ptr_eq(call, &row.entry.call)) {
                calls.push(Arc::clone(&row.entry.call));
            }
        }
        let Err(error) = self.try_run(&rows, &calls) else {
            return;
        };
        let failed: Vec<_> = calls.into_iter().filter(|call| !call.is_settled()).collect();
        if let [call] = failed.as_slice() {
            self.shared.recorder.failed();
            call.reject(error);
            return;
        }
        for call in failed {
            let own = |row: &&Row| Arc::ptr_eq(&row.entry.call, &call);
            let rows: Vec<_> = rows.iter().filter(own).collect();
            if let Err(error) = self.try_run(&rows, std::slice::from_ref(&call)) {
                self.shared.recorder.failed();
                call.reject(error);
            }
        }
    }

    fn try_run<R: std::borrow::Borrow<Row>>(&mut self, rows: &[R], calls: &[Arc<Call>]) -> Result<()> {
        let stop = self.session.stop_handle()?;
        let running = Running {
            calls: calls.to_vec(),
            stop: stop.clone(),
        };
        running.stop_if_unwanted();
        self.announce(Some(running));
        let sequences: Vec<&Sequence> = rows.iter().map(|row| &row.borrow().sequence).collect();
        let outcome =
            catch_unwind(AssertUnwindSafe(|| self.session.run(&sequences, &stop))).unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Internal,
                    "A worker panicked while it ran the model",
                ))
            });
        self.announce(None);
        let (vectors, dimension) = outcome?;
        for (row, vector) in rows.iter().zip(vectors.chunks_exact(dimension.max(1))) {
            let Row { entry, sequence } = row.borrow();
            // Counted first: whoever has the result can rely on the figures.
            let lane = entry.call.lane;
            self.shared
                .recorder
                .text(lane, sequence.ids.len(), sequence.truncated());
            let answering = |latency| self.shared.recorder.answered(lane, latency);
            entry.call.embedded(entry.index, sequence, vector, answering);
        }
        Ok(())
    }

    /// Tells the others what this worker runs. Whoever cancels or closes from now on can stop it; whoever did so
    /// before is seen here.
    fn announce(&self, running: Option<Running>) {
        let mut state = self.shared.lock();
        if let Some(running) = &running {
            if state.closed {
                running.calls.iter().for_each(|call| {
                    call.reject(closed());
                });
            }
            running.stop_if_unwanted();
        }
        if let Some(place) = state.running.get_mut(self.place) {
            *place = running;
        }
    }
}
