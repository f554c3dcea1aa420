//! The environment of this process: read, and written, by the thread that asks for something, and by no thread that works.
//!
//! The C library crashes a process in which one thread reads the environment while another writes it, and Node writes it on
//! the JavaScript thread whenever a program sets `process.env`. So the binding [notes](note) it on that thread.

#![allow(unsafe_code, reason = "the environment is the whole process's")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// What keeps ONNX Runtime from uploading telemetry. It looks when it is initialised, and nothing else works before that.
pub const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// The environment as it was noted last.
static NOTED: RwLock<Option<Arc<Environment>>> = RwLock::new(None);

/// The variables of one moment, and the folders that the system derives from them.
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    /// This user's home.
    pub home: Option<PathBuf>,
    /// This user's folder for caches.
    pub caches: Option<PathBuf>,
}

impl Environment {
    fn read() -> Self {
        Self {
            variables: env::vars_os().collect(),
            home: env::home_dir(),
            caches: dirs::cache_dir(),
        }
    }

    /// The value of a variable. Windows does not tell upper from lower case in its name.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let is_named = |key: &OsStr| {
            if cfg!(windows) {
                key.eq_ignore_ascii_case(name)
            } else {
                key == name
            }
        };
        let mut variables = self.variables.iter();
        variables
            .find(|(key, _)| is_named(key))
            .map(|(_, value)| value.as_os_str())
    }

    /// The same as text; nothing for what is none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.to_str().map(str::to_owned)
    }
}

/// Turns the telemetry of ONNX Runtime off and reads the environment, for all that is done from now on. To be called on the thread
/// on which the host writes it.
pub fn note() {
    if env::var_os(TELEMETRY_VARIABLE).is_none_or(|value| value != "1") {
        // SAFETY: the host's other reads and writes are on this thread. From a worker thread of Node they are not: once per
        // process, for a moment.
        unsafe { env::set_var(TELEMETRY_VARIABLE, "1") };
    }
    *NOTED.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Environment::read()));
}

/// The environment as it was noted last. A program that notes nothing has it read at its first use.
pub fn noted() -> Arc<Environment> {
    loop {
        if let Some(noted) = &*NOTED.read().unwrap_or_else(PoisonError::into_inner) {
            return Arc::clone(noted);
        }
        note();
    }
}
