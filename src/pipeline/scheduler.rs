//! Worker threads that serve the queue, and the three ways to end a call early: cancelling, its deadline, closing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::call::Call;
use super::faults::{self, Point};
use super::lane::{Chunk, Entry, Row, Work};
use super::priority;
use super::queue::{Queue, Role};
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
    recorder: Recorder,
    state: Mutex<State>,
    work: Condvar,
    deadline: Condvar,
}

struct State {
    queue: Queue,
    /// What calls are rejected with from now on.
    ended: Option<fn() -> Error>,
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
            recorder: Recorder::default(),
            state: Mutex::new(State {
                queue: Queue::new(narrow),
                ended: None,
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
            let tokenizer = Arc::clone(&tokenizer);
            scheduler.spawn(&format!("embedder-{place}"), move || {
                Worker {
                    shared,
                    place,
                    role,
                    session,
                    tokenizer,
                }
                .serve()
            })?;
        }
        scheduler.spawn("embedder-clock", move || {
            let _watch = EndOfThread(&shared);
            shared.watch_deadlines();
        })?;
        Ok(scheduler)
    }

    /// Accepts a call, to be settled by `timeout` at the latest.
    pub fn submit(&self, call: Arc<Call>, timeout: Option<Duration>) {
        let mut state = self.shared.lock();
        if let Some(refusal) = state.ended {
            drop(state);
            call.reject(refusal());
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

    /// What every call is rejected with, if it is.
    pub fn refusal(&self) -> Option<Error> {
        self.shared.lock().ended.map(|refusal| refusal())
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
        self.shared.end(closed);
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

    /// Rejects every call that is not answered yet, and every later one, and ends all threads.
    fn end(&self, refusal: fn() -> Error) {
        let mut state = self.lock();
        state.ended = Some(refusal);
        let mut calls = state.queue.drain();
        for running in state.running.iter().flatten() {
            calls.extend(running.calls.iter().cloned());
        }
        calls.extend(state.deadlines.drain(..).map(|(.., call)| call));
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

    fn cancel(&self, call: &Call, error: Error) {
        if call.reject(error) {
            // A worker looks again at what is settled after it has told what it runs, so one of the two sees it.
            let state = self.lock();
            state.running.iter().flatten().for_each(Running::stop_if_unwanted);
            drop(state);
            // Who may take what depends on what waits: what is left may now be for a worker that sleeps.
            self.work.notify_all();
        }
    }

    fn watch_deadlines(&self) {
        let mut state = self.lock();
        while state.ended.is_none() {
            // A test can only have this panic.
            drop(faults::pass(Point::Clock));
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

/// What calls are rejected with once a thread of an embedder has died.
fn broken() -> Error {
    Error::new(
        ErrorKind::Internal,
        "A thread of the embedder panicked: close it and load another",
    )
}

/// What a call is rejected with that a worker panicked over.
fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "A worker panicked over a call")
}

/// Sees to it that no call waits for a thread that is no more.
struct EndOfThread<'a>(&'a Shared);

impl Drop for EndOfThread<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(broken);
        }
    }
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
    /// Here and nowhere else, as the session is: it is freed with the threads, not when the embedder's object is collected.
    tokenizer: Arc<Tokenizer>,
}

impl Worker {
    fn serve(mut self) {
        if self.role == Role::Narrow {
            priority::stand_back();
        }
        let shared = Arc::clone(&self.shared);
        let _watch = EndOfThread(&shared);
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
            match work {
                Work::Tokenize(chunk) => self.tokenize(priority, &chunk),
                Work::Run(rows) => self.run(rows),
            }
            state = shared.lock();
            state.queue.release(self.place, Instant::now());
            // Who may take what depends on who is busy: what this worker must leave may now be another's.
            shared.work.notify_all();
        }
    }

    fn tokenize(&self, priority: Priority, chunk: &Chunk) {
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
            self.reject(call, error);
            return;
        }
        for call in failed {
            let own = |row: &&Row| Arc::ptr_eq(&row.entry.call, &call);
            let rows: Vec<_> = rows.iter().filter(own).collect();
            if let Err(error) = self.try_run(&rows, std::slice::from_ref(&call)) {
                self.reject(&call, error);
            }
        }
    }

    /// Rejects a call through no wish of its caller.
    fn reject(&self, call: &Call, error: Error) {
        // Counted first: whoever has the error can rely on the figures.
        if !call.is_settled() {
            self.shared.recorder.failed();
            call.reject(error);
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
        let run = || {
            faults::pass(Point::Run)?;
            self.session.run(&sequences, &stop)
        };
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked()));
        self.announce(None);
        let (vectors, dimension) = outcome?;
        let answer = || self.answer(rows, &vectors, dimension);
        if catch_unwind(AssertUnwindSafe(answer)).is_err() {
            // Not to be run again: some of its texts are answered.
            calls.iter().for_each(|call| self.reject(call, panicked()));
        }
        Ok(())
    }

    /// Hands each row its vector.
    fn answer<R: std::borrow::Borrow<Row>>(&self, rows: &[R], vectors: &[f32], dimension: usize) {
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
    }

    /// Tells the others what this worker runs. Whoever cancels or closes from now on can stop it; whoever did so
    /// before is seen here.
    fn announce(&self, running: Option<Running>) {
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
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::call::Embeddings;
    use super::super::embedder::Embedder;
    use super::super::faults::armed::{Fault, Faults};
    use super::*;
    use crate::config::{EmbedOptions, EmbedderConfig};
    use crate::model::events::Watch;

    fn load() -> Result<Arc<Embedder>> {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/fixtures/bert");
        let config = EmbedderConfig {
            model: model.display().to_string(),
            threads: 2,
            prepare: false,
            ..EmbedderConfig::default()
        };
        Embedder::load(&config, &Watch::unwatched())
    }

    /// Starts a call; whoever waits for it and gets nothing has found one that hangs.
    fn start(
        embedder: &Arc<Embedder>,
        text: &str,
        options: &EmbedOptions,
    ) -> mpsc::Receiver<Result<Embeddings>> {
        let (sender, receiver) = mpsc::channel();
        let settle = Box::new(move |result| drop(sender.send(result)));
        embedder.embed(vec![text.to_owned()], options, None, settle);
        receiver
    }

    fn answer(receiver: &mpsc::Receiver<Result<Embeddings>>) -> Result<Embeddings> {
        receiver
            .recv_timeout(Duration::from_secs(60))
            .expect("a call hangs")
    }

    fn ask(embedder: &Arc<Embedder>) -> Result<Embeddings> {
        answer(&start(embedder, "some text", &EmbedOptions::default()))
    }

    #[test]
    fn what_goes_wrong_with_one_call_rejects_it_and_the_next_is_answered() {
        let faults = Faults::begin();
        let embedder = load().unwrap();
        let expected = ask(&embedder).unwrap().vectors;
        let cases = [
            (Point::Tokenize, Fault::Error, ErrorKind::Inference),
            (Point::Tokenize, Fault::Panic, ErrorKind::Internal),
            (Point::Run, Fault::Error, ErrorKind::Inference),
            (Point::Run, Fault::Panic, ErrorKind::Internal),
        ];
        for (count, (point, fault, kind)) in cases.into_iter().enumerate() {
            faults.arm(point, fault);
            assert_eq!(ask(&embedder).unwrap_err().kind(), kind, "{fault:?} at {point:?}");
            assert_eq!(ask(&embedder).unwrap().vectors, expected);
            assert_eq!(embedder.stats().failures, count as u64 + 1);
        }
    }

    #[test]
    fn a_callback_that_panics_rejects_its_call_or_nothing() {
        let _faults = Faults::begin();
        let embedder = load().unwrap();
        let settle = Box::new(|_| panic!("a fault of a test"));
        embedder.embed(vec!["text".to_owned()], &EmbedOptions::default(), None, settle);
        let (sender, receiver) = mpsc::channel();
        let progress = Box::new(|_, _| panic!("a fault of a test"));
        let many = (0..20_000).map(|i| format!("text {i}")).collect();
        let settle = Box::new(move |result| drop(sender.send(result)));
        embedder.embed(many, &EmbedOptions::default(), Some(progress), settle);
        assert_eq!(answer(&receiver).unwrap_err().kind(), ErrorKind::Internal);
        assert!(ask(&embedder).is_ok());
    }

    #[test]
    fn a_thread_that_dies_ends_the_embedder_and_no_call_hangs() {
        for point in [Point::Locked, Point::Clock] {
            let faults = Faults::begin();
            let embedder = load().unwrap();
            ask(&embedder).unwrap();
            faults.arm(point, Fault::Panic);
            // Only a call with a deadline wakes the clock.
            let options = EmbedOptions {
                timeout: Some(Duration::from_secs(600)),
                ..EmbedOptions::default()
            };
            let calls: Vec<_> = (0..50).map(|_| start(&embedder, "some text", &options)).collect();
            let refused = calls.iter().filter(|call| match answer(call) {
                Ok(_) => false,
                Err(error) => {
                    assert!(error.to_string().contains("load another"), "{error}");
                    true
                }
            });
            let refused = refused.count();
            assert!(
                !faults.is_armed() && (point == Point::Clock || refused > 0),
                "{point:?}: {refused}"
            );
            drop(faults);
            while ask(&embedder).is_ok() {}
            assert_eq!(ask(&embedder).unwrap_err().kind(), ErrorKind::Internal);
            embedder.close();
            assert_eq!(ask(&embedder).unwrap_err().kind(), ErrorKind::Closed);
            assert!(ask(&load().unwrap()).is_ok(), "the next embedder works");
        }
    }

    #[test]
    fn a_load_that_fails_or_panics_says_so_and_the_next_works() {
        let faults = Faults::begin();
        for (fault, kind) in [
            (Fault::Error, ErrorKind::Inference),
            (Fault::Panic, ErrorKind::ModelInvalid),
        ] {
            faults.arm(Point::Load, fault);
            assert_eq!(load().err().unwrap().kind(), kind);
            assert!(ask(&load().unwrap()).is_ok());
        }
    }
}
