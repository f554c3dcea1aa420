//! A promise with a `cancel` beside it, settled once from whichever thread is first.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use napi::bindgen_prelude::{JsObjectValue, Object, ToNapiValue, Unknown};
use napi::{Env, JsDeferred};

use super::errors;
use crate::error::{Context, Error, ErrorKind, Result};

/// Makes the promised value, on the JavaScript thread.
type Resolver = Box<dyn FnOnce(Env) -> napi::Result<Unknown<'static>>>;

/// The open end of a promise.
#[derive(Clone)]
pub struct Promised(Arc<Mutex<Option<JsDeferred<Unknown<'static>, Resolver>>>>);

impl Promised {
    /// A promise for JavaScript and its open end.
    pub fn new(env: Env) -> napi::Result<(Self, Unknown<'static>)> {
        let (deferred, promise) = env.create_deferred()?;
        Ok((
            Self(Arc::new(Mutex::new(Some(deferred)))),
            returned(env, promise)?,
        ))
    }

    /// Settles the promise, from any thread; `convert` runs on the JavaScript thread. Says whether this was the first
    /// settlement; later ones have no effect.
    pub fn settle<T: 'static>(
        &self,
        result: Result<T>,
        convert: impl FnOnce(Env, T) -> napi::Result<Unknown<'static>> + 'static,
    ) -> bool {
        let Some(deferred) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return false;
        };
        deferred.resolve(Box::new(move |env| match result {
            Ok(value) => convert(env, value),
            Err(error) => Err(errors::to_js(env, &error)),
        }));
        true
    }

    /// Rejects the promise, from any thread, unless it is settled.
    pub fn reject(&self, error: Error) -> bool {
        self.settle(Err::<(), _>(error), |env, ()| returned(env, ()))
    }
}

/// Starts `body`, which settles `promised`, on a thread of its own. Where the system has no more threads, `promised` is rejected: one that
/// is never settled would keep the process alive.
pub fn on_thread(
    name: &str,
    promised: &Promised,
    body: impl FnOnce() + Send + 'static,
) -> Option<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .context(ErrorKind::Internal, || {
            format!("The thread {name} could not be started")
        })
        .map_err(|error| promised.reject(error))
        .ok()
}

/// `{ promise, cancel }` for lib/.
pub fn job(
    env: Env,
    promise: Unknown<'static>,
    cancel: impl Fn() + 'static,
) -> napi::Result<Unknown<'static>> {
    let mut job = Object::new(&env)?;
    job.set_named_property("promise", promise)?;
    let cancel = env.create_function_from_closure::<(), (), _>("cancel", move |_| {
        cancel();
        Ok(())
    })?;
    job.set_named_property("cancel", cancel)?;
    returned(env, job)
}

/// `value` as JavaScript gets it, free of the lifetime of its environment.
pub fn returned<V: ToNapiValue>(env: Env, value: V) -> napi::Result<Unknown<'static>> {
    // SAFETY: every caller is on the JavaScript thread of `env` and hands the value to JavaScript before it returns.
    unsafe {
        Ok(Unknown::from_raw_unchecked(
            env.raw(),
            V::to_napi_value(env.raw(), value)?,
        ))
    }
}
