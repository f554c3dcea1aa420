//! The end of a Node environment (process exit, a worker's termination): no thread of ours may outlive it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use napi::Env;

use crate::pipeline::embedder::Embedder;

/// What lives in the environment of this JavaScript thread.
#[derive(Default)]
struct Living {
    hooked: bool,
    embedders: Vec<Weak<Embedder>>,
    threads: Vec<JoinHandle<()>>,
}

thread_local! {
    static LIVING: RefCell<Living> = RefCell::default();
}

/// Registers a thread that loads or closes a model. Only on a JavaScript thread.
pub fn register_thread(env: Env, thread: JoinHandle<()>) -> napi::Result<()> {
    hook(env)?;
    LIVING.with_borrow_mut(|living| {
        living.threads.retain(|thread| !thread.is_finished());
        living.threads.push(thread);
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
        env.add_env_cleanup_hook((), |()| end())?;
    }
    Ok(())
}

/// Stops everything and waits for it: after this, ONNX Runtime may be torn down by the process's exit, which would
/// crash a thread that is still inside it.
fn end() {
    let living = LIVING.take();
    let embedders: Vec<_> = living.embedders.iter().filter_map(Weak::upgrade).collect();
    for embedder in &embedders {
        embedder.begin_close();
    }
    for thread in living.threads {
        // A panic there was turned into a rejection there.
        drop(thread.join());
    }
    for embedder in embedders {
        embedder.close();
    }
}
