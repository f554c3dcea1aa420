//! The core's public face: load a model once, then embed, count, look at figures, close.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak, mpsc};
use std::time::{Duration, Instant};

use super::call::{Call, Embeddings, Progress, Purpose, Settle};
use super::faults::{self, Point};
use super::heap;
use super::loading::{self, Loaded};
use super::scheduler::Scheduler;
use super::session::Readout;
use super::stats::Stats;
use crate::config::{EmbedOptions, EmbedderConfig, Precision, Priority};
use crate::error::{Error, ErrorKind, Result};
use crate::model::events::{LoadEvent, Watch};
use crate::model::folder::{self, ModelSpec};
use crate::model::store;

/// A loaded model with its threads. Every method can be called from any thread.
pub struct Embedder {
    info: ModelInfo,
    scheduler: Scheduler,
}

/// What was loaded, and where each value came from.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// What the model's files say, options included.
    pub spec: ModelSpec,
    /// Whether the graph pools by itself; then `spec.pooling` does not apply.
    pub readout: Readout,
    /// Numbers in one vector.
    pub dimension: usize,
    /// Precision of weights and products.
    pub precision: Precision,
    /// Threads that run the model, in all.
    pub threads: usize,
    /// The commit of the hub that the model's files are of; `None` for a folder of the caller's.
    pub revision: Option<String>,
    /// Names the vector space, see [`crate::model::fingerprint`].
    pub fingerprint: String,
    /// How long loading took.
    pub load_time: Duration,
}

/// A call that was accepted and can be cancelled. It keeps nothing of a call that is settled.
pub struct CallHandle {
    embedder: Arc<Embedder>,
    call: Weak<Call>,
}

impl CallHandle {
    /// Settles the call with `error` unless it is settled already. Work that nobody else waits for is stopped.
    pub fn cancel(&self, error: Error) {
        if let Some(call) = self.call.upgrade() {
            self.embedder.scheduler.cancel(&call, error);
        }
    }
}

impl Embedder {
    /// Loads a model and starts its threads. Takes as long as the model is large: never call it on a thread that
    /// must stay responsive. `watch` is told of each step and can stop the load.
    ///
    /// # Errors
    /// Of kind `Download`, `Offline`, `ModelNotFound`, `ModelInvalid`, `RuntimeNotFound`, `InvalidArgument`, `Inference`
    /// for want of memory, `Internal` for want of threads, or `Aborted`, as [`store::resolve`], [`folder::read`] and the steps after them give them.
    pub fn load(config: &EmbedderConfig, watch: &Watch) -> Result<Arc<Self>> {
        let started = Instant::now();
        let resolved = store::resolve(config, watch)?;
        let mut spec = folder::read(&resolved.folder, config)?;
        if let Some(id) = resolved.id {
            spec.name = id;
        }
        watch.cancel().check()?;
        let Loaded {
            sessions,
            tokenizer,
            fingerprint,
            dimension,
            precision,
        } = catch_unwind(AssertUnwindSafe(|| {
            faults::pass(Point::Load)?;
            loading::load(&spec, config, watch)
        }))
        .unwrap_or_else(|_| {
            // ort and tokenizers take some of what files say for granted.
            let sentence = format!("The code that reads {} panicked", spec.folder.display());
            Err(Error::new(ErrorKind::ModelInvalid, sentence))
        })?;
        let readout = sessions.wide.readout();
        let info = ModelInfo {
            fingerprint,
            readout,
            dimension,
            precision,
            threads: config.threads,
            revision: resolved.revision,
            load_time: started.elapsed(),
            spec,
        };
        watch.cancel().check()?;
        heap::give_back();
        let scheduler = Scheduler::start(sessions, Arc::new(tokenizer))?;
        watch.tell(LoadEvent::ModelLoaded {
            model: config.model.clone(),
            dimension,
            load_time: info.load_time,
            from_cache: resolved.from_cache,
        });
        Ok(Arc::new(Self { info, scheduler }))
    }

    /// Embeds `texts`; `settle` gets the result. `progress` is told of finished texts now and then.
    pub fn embed(
        self: &Arc<Self>,
        texts: Vec<String>,
        options: &EmbedOptions,
        progress: Option<Progress>,
        settle: Settle,
    ) -> CallHandle {
        let purpose = Purpose::Embed {
            overflow: options.overflow,
            normalize: options.normalize.unwrap_or(self.info.spec.normalize.value),
        };
        self.submit(texts, purpose, options, progress, settle)
    }

    /// Counts the tokens of `texts`, special tokens included, before truncation.
    pub fn count_tokens(self: &Arc<Self>, texts: Vec<String>, settle: Settle) -> CallHandle {
        let options = EmbedOptions {
            priority: Priority::Interactive,
            ..EmbedOptions::default()
        };
        self.submit(texts, Purpose::Count, &options, None, settle)
    }

    /// Embeds `texts` and waits for the result.
    ///
    /// # Errors
    /// Of kind `TooLong`, `Inference`, `Timeout`, `Closed` or `Internal`.
    pub fn embed_blocking(
        self: &Arc<Self>,
        texts: Vec<String>,
        options: &EmbedOptions,
    ) -> Result<Embeddings> {
        let (sender, receiver) = mpsc::channel();
        let settle = Box::new(move |result| drop(sender.send(result)));
        self.embed(texts, options, None, settle);
        receiver
            .recv()
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "A call was dropped unanswered")))
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.scheduler.stats()
    }

    /// Rejects every call that is not answered yet and every later one with [`ErrorKind::Closed`], and waits until
    /// the threads have ended and the model is freed. Idempotent.
    pub fn close(&self) {
        self.scheduler.close();
        self.scheduler.join();
        heap::give_back();
    }

    /// The first half of [`close`](Self::close): rejects, but does not wait.
    pub fn begin_close(&self) {
        self.scheduler.close();
    }

    fn submit(
        self: &Arc<Self>,
        texts: Vec<String>,
        purpose: Purpose,
        options: &EmbedOptions,
        progress: Option<Progress>,
        settle: Settle,
    ) -> CallHandle {
        let call = if texts.is_empty() {
            let nothing = Embeddings {
                dimension: self.info.dimension,
                ..Embeddings::default()
            };
            settle(self.scheduler.refusal().map_or(Ok(nothing), Err));
            Weak::new()
        } else {
            match Call::new(
                texts,
                options.priority,
                purpose,
                self.info.dimension,
                progress,
                settle,
            ) {
                Ok(call) => {
                    let call = Arc::new(call);
                    let handle = Arc::downgrade(&call);
                    self.scheduler.submit(call, options.timeout);
                    handle
                }
                Err((error, settle)) => {
                    self.scheduler.failed();
                    settle(Err(error));
                    Weak::new()
                }
            }
        };
        CallHandle {
            embedder: Arc::clone(self),
            call,
        }
    }
}
