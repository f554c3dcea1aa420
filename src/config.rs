//! Every option, default and range of the library, once.

use std::path::PathBuf;
use std::time::Duration;

/// The model that is loaded when none is named.
pub const DEFAULT_MODEL: &str = "sentence-transformers/paraphrase-multilingual-mpnet-base-v2";

/// Most threads one embedder may be given.
pub const MAX_THREADS: usize = 256;

/// Most threads that are used unless `threads` says otherwise: beyond these a desktop machine's memory bandwidth
/// is the limit, and its user wants some cores left.
pub const MAX_DEFAULT_THREADS: usize = 8;

/// Longest `timeoutMs`: what a timer of JavaScript can hold, about 24.8 days.
pub const MAX_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// Tokens in one run of the model: twice as many rows as go through the weights at a time. More gain nothing, and their
/// activations would take memory and leave the cache.
pub const MICRO_BATCH_TOKENS: usize = 384;

/// Tokens of micro-batches that run together on all threads, which share the activations.
pub const JOINED_TOKENS: usize = 512;

/// Texts that are tokenised and then grouped by similar lengths together.
pub const WINDOW_TEXTS: usize = 1024;

/// Bytes of text after which a window is full, so that long texts do not pile up as tokens.
pub const WINDOW_BYTES: usize = 2 << 20;

/// Texts that a worker tokenises before it looks at the queue again.
pub const CHUNK_TEXTS: usize = 32;

/// Bytes of text after which a worker looks at the queue again.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Pieces of interactive work that may overtake waiting bulk work before one piece of bulk work is served.
pub const MAX_OVERTAKES: u32 = 8;

/// Largest `k` of a search: the whole numbers of JavaScript end here. More than there are rows gives all of them.
pub const MAX_MATCHES: usize = (1 << 53) - 1;

/// Shortest time between two progress reports of a call: 20 a second.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Prepared copies that are kept; beyond them, the longest unused one makes room for a new one, unless it was used within
/// [`PREPARED_FOR`]: an app with more models than that would make them all again at each start.
pub const PREPARED_COPIES: usize = 4;

/// How long a prepared copy is kept after its last use, however many there are.
pub const PREPARED_FOR: Duration = Duration::from_hours(7 * 24);

/// How the weights are kept and multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32-bit floating point, as the model was published.
    #[default]
    Fp32,
    /// 8-bit integers, made from the 32-bit weights on this machine.
    Int8,
}

impl Precision {
    /// Every precision.
    pub const ALL: [Self; 2] = [Self::Fp32, Self::Int8];

    /// The name that options and `info` use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        }
    }
}

/// How the token embeddings of a text become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token's embedding.
    Cls,
    /// The largest value of each dimension over all tokens.
    Max,
}

impl Pooling {
    /// Every pooling.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Cls, Self::Max];

    /// The name that options and `info` use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Max => "max",
        }
    }
}

/// Which queue a call waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Starts before any waiting bulk work: a person waits for it.
    Interactive,
    /// Runs when nothing interactive waits, and is never starved by it.
    Bulk,
}

impl Priority {
    /// Every priority, in the order in which the lanes are served.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Bulk];

    /// The name that options and `stats` use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }
}

/// What happens to a text with more tokens than the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Its first tokens are embedded and the result says that it was truncated.
    #[default]
    Truncate,
    /// The call is rejected with [`ErrorKind::TooLong`](crate::error::ErrorKind::TooLong).
    Error,
}

impl Overflow {
    /// Every way to treat a long text.
    pub const ALL: [Self; 2] = [Self::Truncate, Self::Error];

    /// The name that options use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncate => "truncate",
            Self::Error => "error",
        }
    }
}

/// How to load an embedder. `None` means: as the model's own files say.
#[derive(Debug, Clone)]
pub struct EmbedderConfig {
    /// A folder, or the id of a model on the hub. Default: [`DEFAULT_MODEL`].
    pub model: String,
    /// A branch, tag or commit of a hub model. No effect on a folder.
    pub revision: Option<String>,
    /// Precision of weights and products. Default: the folder's own, which is fp32 unless it was prepared otherwise.
    pub precision: Option<Precision>,
    /// The ONNX file, relative to the model's folder. Default: `onnx/model.onnx`, then `model.onnx`.
    pub model_file: Option<String>,
    /// Where fetched and prepared models are kept. Default: the hub cache of this user.
    pub cache_dir: Option<PathBuf>,
    /// Never open a socket. Default: as `HF_HUB_OFFLINE` says. No effect on a folder.
    pub offline: Option<bool>,
    /// Read every file and compare its hash before the model is used: with the cache's for a hub model, with the
    /// manifest that `pull --out` writes for a folder. Default: false; files are verified when they are fetched.
    pub verify: bool,
    /// Keep an optimised copy of the model in the cache and load that. Default: true.
    pub prepare: bool,
    /// Threads that run the model, in all. Default: [`default_threads`].
    pub threads: usize,
    /// Longest sequence in tokens, special tokens included; at most what the model reads.
    pub max_tokens: Option<usize>,
    /// Pooling instead of the model's own.
    pub pooling: Option<Pooling>,
    /// Scale vectors to unit length, or not, instead of the model's own choice.
    pub normalize: Option<bool>,
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            revision: None,
            precision: None,
            model_file: None,
            cache_dir: None,
            offline: None,
            verify: false,
            prepare: true,
            threads: default_threads(),
            max_tokens: None,
            pooling: None,
            normalize: None,
        }
    }
}

/// The machine's physical cores that this process may use, at most [`MAX_DEFAULT_THREADS`].
#[must_use]
pub fn default_threads() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    num_cpus::get_physical()
        .clamp(1, allowed)
        .min(MAX_DEFAULT_THREADS)
}

/// How to embed the texts of one call.
#[derive(Debug, Clone)]
pub struct EmbedOptions {
    /// Which queue the call waits in. Default: bulk.
    pub priority: Priority,
    /// Give up after this time, waiting included. Default: never.
    pub timeout: Option<Duration>,
    /// What to do with texts that are too long. Default: truncate.
    pub overflow: Overflow,
    /// Unit length or not for this call. Default: as the embedder was loaded.
    pub normalize: Option<bool>,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        Self {
            priority: Priority::Bulk,
            timeout: None,
            overflow: Overflow::default(),
            normalize: None,
        }
    }
}
