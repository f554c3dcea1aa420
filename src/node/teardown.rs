//! The end of a Node environment (process exit, a worker's termination): no thread of ours may outlive it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use napi::Env;
use napi_derive::napi;

use crate::model::events::Cancel;
use crate::pipeline::embedder::Embedder;

/// What lives in the environment of this JavaScript thread.
#[derive(Default)]
struct Living {
    hooked: bool,
    embedders: Vec<Weak<Embedder>>,
    threads: Vec<(JoinHandle<()>, Option<Cancel>)>,
}

thread_local! {
    static LIVING: RefCell<Living> = RefCell::default();
}

/// Registers a thread that closes a model. Only on a JavaScript thread.
pub fn register_thread(env: Env, thread: JoinHandle<()>) -> napi::Result<()> {
    register_any(env, thread, None)
}

/// Registers a thread that loads a model or fetches its files, until `cancel` stops it. Only on a JavaScript thread.
pub fn register_load(env: Env, thread: JoinHandle<()>, cancel: Cancel) -> napi::Result<()> {
    register_any(env, thread, Some(cancel))
}

fn register_any(env: Env, thread: JoinHandle<()>, cancel: Option<Cancel>) -> napi::Result<()> {
    hook(env)?;
    LIVING.with_borrow_mut(|living| {
        living.threads.retain(|(thread, _)| !thread.is_finished());
        living.threads.push((thread, cancel));
    });
    Ok(())
}

/// Registers an embedder whose threads must end with this environment. Only on a JavaScript thread.
pub fn register(env: Env, embedder: &Arc<Embedder>) -> napi::Result<()> {
    hook(env)?;
    LIVING.with_borrow_mut(|living| {
        living.embedders.retain(|embedder| embedder.strong_count() > 0);
        living.embedders.push(Arc::downgrade(embedder));
    });
    Ok(())
}

fn hook(env: Env) -> napi::Result<()> {
    let first = LIVING.with_borrow_mut(|living| !std::mem::replace(&mut living.hooked, true));
    if first {
        env.add_env_cleanup_hook((), |()| end_environment())?;
    }
    Ok(())
}

/// Ends all work of this JavaScript thread and waits for it. lib/ calls it on the process's `exit` event, since
/// `process.exit()` runs no environment hooks on the main thread: it goes straight on to destroy the statics of every
/// library, which would crash a thread that is still inside ONNX Runtime.
#[napi]
pub fn end_environment() {
    let living = LIVING.take();
    let embedders: Vec<_> = living.embedders.iter().filter_map(Weak::upgrade).collect();
    for embedder in &embedders {
        embedder.begin_close();
    }
    for cancel in living.threads.iter().filter_map(|(_, cancel)| cancel.as_ref()) {
        cancel.cancel();
    }
    for (thread, _) in living.threads {
        // A panic there was turned into a rejection there.
        drop(thread.join());
    }
    for embedder in embedders {
        embedder.close();
    }
}
