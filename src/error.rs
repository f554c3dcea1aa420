//! The one error type of the crate: a kind with a stable code, what happened, and the cause.

use std::error::Error as StdError;
use std::fmt;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as a caller can act on it. Each kind has one stable [`code`](ErrorKind::code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An argument or option was of the wrong type, unknown, or out of range.
    InvalidArgument,
    /// A model folder, or a file that the folder must have, does not exist or cannot be read.
    ModelNotFound,
    /// The model's files were read but cannot be used as they are.
    ModelInvalid,
    /// Files could not be fetched from the hub.
    Download,
    /// Files are missing and `offline` forbids fetching them.
    Offline,
    /// The ONNX Runtime library is missing, of another version, or cannot be loaded.
    RuntimeNotFound,
    /// ONNX Runtime refused or failed to run the model.
    Inference,
    /// A text has more tokens than the model reads and `overflow` is `'error'`.
    TooLong,
    /// The call did not finish within `timeoutMs`.
    Timeout,
    /// The call's `signal` was aborted.
    Aborted,
    /// The embedder was closed.
    Closed,
    /// A defect of this library: please report it.
    Internal,
}

impl ErrorKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 12] = [
        Self::InvalidArgument,
        Self::ModelNotFound,
        Self::ModelInvalid,
        Self::Download,
        Self::Offline,
        Self::RuntimeNotFound,
        Self::Inference,
        Self::TooLong,
        Self::Timeout,
        Self::Aborted,
        Self::Closed,
        Self::Internal,
    ];

    /// The stable code that JavaScript sees as `error.code`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidArgument => "ERR_EMBED_INVALID_ARGUMENT",
            Self::ModelNotFound => "ERR_EMBED_MODEL_NOT_FOUND",
            Self::ModelInvalid => "ERR_EMBED_MODEL_INVALID",
            Self::Download => "ERR_EMBED_DOWNLOAD",
            Self::Offline => "ERR_EMBED_OFFLINE",
            Self::RuntimeNotFound => "ERR_EMBED_RUNTIME_NOT_FOUND",
            Self::Inference => "ERR_EMBED_INFERENCE",
            Self::TooLong => "ERR_EMBED_TOO_LONG",
            Self::Timeout => "ERR_EMBED_TIMEOUT",
            Self::Aborted => "ERR_EMBED_ABORTED",
            Self::Closed => "ERR_EMBED_CLOSED",
            Self::Internal => "ERR_EMBED_INTERNAL",
        }
    }
}

/// An error with its [`ErrorKind`], a sentence for people, and the error that caused it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without a cause of its own.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into(),
            source: None,
        }
    }

    /// The same error, keeping what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong, as a caller can act on it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong and each thing that caused it, in one line: for where a cause has no place of its own.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut line = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(deeper) = cause {
            line = format!("{line}: {deeper}");
            cause = deeper.source();
        }
        line
    }

    /// The stable code of the kind.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Adds a kind and a sentence to any other error, keeping it as the cause.
pub trait Context<T> {
    /// Turns `Err(cause)` into an [`Error`] of `kind` whose sentence is built only when it is needed.
    fn context<S: Into<String>>(self, kind: ErrorKind, sentence: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context<S: Into<String>>(self, kind: ErrorKind, sentence: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|cause| Error::new(kind, sentence()).with_source(cause))
    }
}
