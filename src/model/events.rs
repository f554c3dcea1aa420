//! What a load tells while it runs, and how it is told to stop.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// One step of a load, in the order in which they come. A folder starts at [`Preparing`](Self::Preparing) or
/// [`Loading`](Self::Loading); a model that is in the cache starts at [`ModelCached`](Self::ModelCached). What turns out
/// to be unusable while it is loaded is followed by [`Preparing`](Self::Preparing) or a [`Warning`](Self::Warning), and
/// by [`Loading`](Self::Loading) again.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadEvent {
    /// Files will be fetched from the hub. Told again for those that a large graph names, once it is here.
    DownloadStarted {
        /// The model's id on the hub.
        model: String,
        /// Files that are fetched.
        files: usize,
        /// Bytes in all of them, those of earlier attempts included.
        total: u64,
    },
    /// Bytes came in; told when a file is begun and when it is complete, and in between at most every
    /// [`PROGRESS_INTERVAL`](crate::config::PROGRESS_INTERVAL).
    DownloadProgress {
        /// The file, relative to the model's folder.
        file: String,
        /// Bytes of the file that are here.
        loaded: u64,
        /// Bytes in the file.
        total: u64,
        /// Share of all bytes of all fetched files that is here, from 0 to 1.
        overall: f64,
    },
    /// Every file of a hub model is in the cache, fetched now or before.
    ModelCached {
        /// The model's id on the hub.
        model: String,
    },
    /// A copy of the model that loads faster is made.
    Preparing {
        /// The model as it was named.
        model: String,
    },
    /// The model, or its copy, is opened.
    Loading {
        /// The model as it was named.
        model: String,
    },
    /// Something did not work that the load can do without.
    Warning {
        /// What, why, and what is done instead.
        message: String,
    },
    /// The model is ready.
    ModelLoaded {
        /// The model as it was named.
        model: String,
        /// Numbers in one vector.
        dimension: usize,
        /// How long the load took.
        load_time: Duration,
        /// Whether nothing had to be fetched.
        from_cache: bool,
    },
}

/// Receives the events of a load, on the thread that loads.
pub type OnEvent = Box<dyn Fn(LoadEvent) + Send + Sync>;

/// The caller's side of a load: where its events go, and whether it is still wanted.
pub struct Watch {
    on_event: Option<OnEvent>,
    cancel: Cancel,
}

impl Watch {
    /// Tells `on_event` of each step, until `cancel` stops the load.
    #[must_use]
    pub fn new(on_event: Option<OnEvent>, cancel: Cancel) -> Self {
        Self { on_event, cancel }
    }

    /// A load that nobody watches and nobody cancels.
    #[must_use]
    pub fn unwatched() -> Self {
        Self::new(None, Cancel::default())
    }

    /// Passes `event` on.
    pub fn tell(&self, event: LoadEvent) {
        if let Some(on_event) = &self.on_event {
            on_event(event);
        }
    }

    /// What stops this load.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

type Hook = Box<dyn Fn() + Send>;

/// A switch that stops a load for good. Its clones are one switch.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Switch>);

#[derive(Default)]
struct Switch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    cancelled: bool,
    /// The number lets a guard take out its own hook.
    hooks: Vec<(u64, Hook)>,
    next: u64,
}

impl Cancel {
    /// Stops the load: every sleep ends, every hook runs on this thread.
    pub fn cancel(&self) {
        let hooks = {
            let mut state = self.lock();
            state.cancelled = true;
            std::mem::take(&mut state.hooks)
        };
        self.0.changed.notify_all();
        for (_, hook) in hooks {
            hook();
        }
    }

    /// Whether the load is unwanted.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Fails when the load is unwanted.
    ///
    /// # Errors
    /// [`ErrorKind::Aborted`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::new(ErrorKind::Aborted, "The load was cancelled"))
        } else {
            Ok(())
        }
    }

    /// Waits for `time`, or until the load is unwanted.
    ///
    /// # Errors
    /// [`ErrorKind::Aborted`].
    pub fn sleep(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut state = self.lock();
        while !state.cancelled {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            state = match self.0.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        drop(state);
        self.check()
    }

    /// Has `hook` run when the load is cancelled, at once if it is already, until the guard is dropped.
    pub fn on_cancel(&self, hook: impl Fn() + Send + 'static) -> HookGuard {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        if state.cancelled {
            drop(state);
            hook();
        } else {
            state.hooks.push((number, Box::new(hook)));
        }
        HookGuard {
            cancel: self.clone(),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({})", self.is_cancelled())
    }
}

/// Takes a hook of [`Cancel::on_cancel`] out again.
pub struct HookGuard {
    cancel: Cancel,
    number: u64,
}

impl Drop for HookGuard {
    fn drop(&mut self) {
        let mut state = self.cancel.lock();
        state.hooks.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_cancel_wakes_a_sleeper_and_runs_the_hooks_that_are_still_in() {
        let cancel = Cancel::default();
        let runs = Arc::new(AtomicUsize::new(0));
        let count = || {
            let runs = Arc::clone(&runs);
            move || {
                runs.fetch_add(1, Ordering::SeqCst);
            }
        };
        let kept = cancel.on_cancel(count());
        drop(cancel.on_cancel(count()));
        let sleeper = std::thread::spawn({
            let cancel = cancel.clone();
            move || cancel.sleep(Duration::from_secs(600))
        });
        cancel.cancel();
        let woken = sleeper.join().unwrap().unwrap_err();
        assert_eq!(woken.kind(), ErrorKind::Aborted);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        drop(cancel.on_cancel(count()));
        assert_eq!(runs.load(Ordering::SeqCst), 2, "a late hook runs at once");
        drop(kept);
    }
}
