//! A lock between processes for the command line.

use std::path::Path;

use napi::Env;
use napi_derive::napi;

use super::errors;
use crate::model::store::lock::Lock;

/// Held until it is released, or this process ends in whatever way.
#[napi]
pub struct FileLock(Option<Lock>);

#[napi]
impl FileLock {
    /// Lets others have it.
    #[napi]
    pub fn release(&mut self) {
        self.0 = None;
    }
}

/// The lock on a file, which is made if it is not there; nothing if another has it.
#[napi]
pub fn lock_file(env: Env, path: String) -> napi::Result<Option<FileLock>> {
    let lock = Lock::try_acquire(Path::new(&path)).map_err(|error| errors::to_js(env, &error))?;
    Ok(lock.map(|lock| FileLock(Some(lock))))
}
