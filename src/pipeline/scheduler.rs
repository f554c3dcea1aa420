//! The threads of an embedder, and the three ways to end a call early: cancelling, its deadline, closing.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::call::{Call, broken};
use super::queue::Role;
use super::session::Model;
use super::shared::Shared;
use super::stats::Stats;
use super::sync::Mutex;
use super::sync::thread::{self, JoinHandle};
use super::tokenizer::Tokenizer;
use super::worker::Worker;
use crate::config::Priority;
use crate::error::{Context, Error, ErrorKind, Result};

/// What the workers get, one each.
pub struct Sessions<M> {
    /// One of all threads.
    pub wide: M,
    /// One of a single thread for each thread; none when copies of the weights would cost too much memory.
    pub narrow: Vec<M>,
}

/// The threads of one embedder.
pub struct Scheduler {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Scheduler {
    /// Starts a worker for each session, and a clock for deadlines.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the system gives no more threads.
    pub fn start<M: Model>(sessions: Sessions<M>, tokenizer: Arc<Tokenizer>) -> Result<Self> {
        let shared = Arc::new(Shared::new(sessions.narrow.len(), sessions.wide.packs()));
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
                let _watch = EndOfThread(&shared);
                Worker {
                    shared: &shared,
                    place,
                    role,
                    model: session,
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
        self.shared.submit(call, timeout);
    }

    /// What every call is rejected with, if it is.
    pub fn refusal(&self) -> Option<Error> {
        self.shared.lock().ended.map(|refusal| refusal())
    }

    /// Counts a call that was refused before it was one.
    pub fn failed(&self) {
        self.shared.recorder.failed();
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

/// What calls are rejected with once an embedder is closed.
pub fn closed() -> Error {
    Error::new(ErrorKind::Closed, "The embedder is closed")
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

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::call::Embeddings;
    use super::super::embedder::Embedder;
    use super::super::faults::Point;
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
            // The calls may be answered before the clock wakes.
            let ended = (0..100_000).any(|_| ask(&embedder).is_err());
            assert!(
                ended && !faults.is_armed() && (point == Point::Clock || refused > 0),
                "{point:?}: {refused}"
            );
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
