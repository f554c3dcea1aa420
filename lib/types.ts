// Every type of the public interface: inputs, results and options.

/**
 * The stable values of the `code` property of this package's errors.
 *
 * | code | meaning |
 * |---|---|
 * | `ERR_EMBED_INVALID_ARGUMENT` | an argument or option has the wrong type, an unknown name or is out of range |
 * | `ERR_EMBED_MODEL_NOT_FOUND` | the model's folder, or a file that it must have, is missing or cannot be read |
 * | `ERR_EMBED_MODEL_INVALID` | the model's files were read but cannot be used |
 * | `ERR_EMBED_DOWNLOAD` | files could not be downloaded from the hub |
 * | `ERR_EMBED_OFFLINE` | files are missing and `offline` forbids downloading them |
 * | `ERR_EMBED_RUNTIME_NOT_FOUND` | the native addon or the ONNX Runtime library cannot be loaded, or there is no server |
 * | `ERR_EMBED_INFERENCE` | ONNX Runtime, or the server or function that computes the vectors, failed |
 * | `ERR_EMBED_TOO_LONG` | a text has more than `maxTokens` tokens and `overflow` is `'error'` |
 * | `ERR_EMBED_TIMEOUT` | the call did not finish within `timeoutMs` |
 * | `ERR_EMBED_ABORTED` | the call's `signal` was aborted; `cause` is the signal's reason |
 * | `ERR_EMBED_CLOSED` | the embedder was closed, or is not initialized |
 * | `ERR_EMBED_INTERNAL` | the system has no more threads, or there is a bug in this package: please report it |
 */
export type EmbedErrorCode =
  | 'ERR_EMBED_INVALID_ARGUMENT'
  | 'ERR_EMBED_MODEL_NOT_FOUND'
  | 'ERR_EMBED_MODEL_INVALID'
  | 'ERR_EMBED_DOWNLOAD'
  | 'ERR_EMBED_OFFLINE'
  | 'ERR_EMBED_RUNTIME_NOT_FOUND'
  | 'ERR_EMBED_INFERENCE'
  | 'ERR_EMBED_TOO_LONG'
  | 'ERR_EMBED_TIMEOUT'
  | 'ERR_EMBED_ABORTED'
  | 'ERR_EMBED_CLOSED'
  | 'ERR_EMBED_INTERNAL';

/** The error of every rejected promise of this package: an `Error` with a stable code. */
export interface EmbedError extends Error {
  /** What went wrong, for programs to act on. */
  readonly code: EmbedErrorCode;
  /** The underlying error, if there is one. */
  readonly cause?: unknown;
}

/**
 * How the token embeddings of a text are combined into one vector: their mean, the first token's (`cls`), or the maximum of
 * each dimension.
 */
export type Pooling = 'mean' | 'cls' | 'max';

/** The number format in which the model's weights are stored and multiplied. */
export type Precision = 'fp32' | 'int8';

/** The lane that a call waits in. `interactive` calls go before `bulk` calls, which they can slow down but never starve. */
export type Priority = 'interactive' | 'bulk';

/**
 * Some files of a hub model are not in the cache; their download starts. Sent again where a large graph that was among
 * them says that its weights are in further files.
 */
export interface DownloadStartedEvent {
  readonly type: 'download_started';
  /** The model's id on the hub. */
  readonly model: string;
  /** Number of files to download. */
  readonly files: number;
  /** Total size of these files in bytes. */
  readonly total: number;
}

/** Download progress: sent when a file starts and completes, and at most 20 times a second in between. */
export interface DownloadProgressEvent {
  readonly type: 'download_progress';
  /** The file, relative to the model's folder. */
  readonly file: string;
  /** Bytes of the file downloaded so far, those of an earlier attempt included. */
  readonly loaded: number;
  /** Size of the file in bytes. */
  readonly total: number;
  /** The downloaded share of all bytes of all files, from 0 to 1. */
  readonly overall: number;
}

/** All files of a hub model are in the cache, whether downloaded now or before. */
export interface ModelCachedEvent {
  readonly type: 'model_cached';
  /** The model's id on the hub. */
  readonly model: string;
}

/** A copy of the model that loads faster is being made. This happens once. */
export interface PreparingEvent {
  readonly type: 'preparing';
  /** The model, as named in {@link LoadOptions.model}. */
  readonly model: string;
}

/** The model, or its prepared copy, is being opened. */
export interface LoadingEvent {
  readonly type: 'loading';
  /** The model, as named in {@link LoadOptions.model}. */
  readonly model: string;
}

/** Something failed that the load can do without. */
export interface WarningEvent {
  readonly type: 'warning';
  /** What failed, why, and what happens instead. */
  readonly message: string;
}

/** The model is ready. */
export interface ModelLoadedEvent {
  readonly type: 'model_loaded';
  /** The model, as named in {@link LoadOptions.model}. */
  readonly model: string;
  /** Length of a vector. */
  readonly dimension: number;
  /** How long the load took, in milliseconds. */
  readonly loadTimeMs: number;
  /** Whether nothing had to be downloaded. */
  readonly fromCache: boolean;
}

/**
 * A step of {@link Embedder.load}, passed to `onProgress`. The order is `download_started`, `download_progress` (many
 * times), `model_cached`, `preparing`, `loading`, `model_loaded`; unnecessary steps are left out. A damaged prepared copy
 * is made again after `loading`. If a copy cannot be made, there is a `warning` and the model is loaded without one. Later
 * releases may add types: ignore those you do not know.
 */
export type LoadEvent =
  | DownloadStartedEvent
  | DownloadProgressEvent
  | ModelCachedEvent
  | PreparingEvent
  | LoadingEvent
  | WarningEvent
  | ModelLoadedEvent;

/** Options of {@link Embedder.load}. All are optional; unknown names are rejected. */
export interface LoadOptions {
  /**
   * The model: a sentence-transformers folder, or the id of a model on the hub.
   * An absolute path, or one that starts with `./` or `../`, is always treated as a folder.
   * @defaultValue `'sentence-transformers/paraphrase-multilingual-mpnet-base-v2'`
   */
  model?: string | undefined;
  /**
   * The commit, tag or branch of a model on the hub. No effect on a folder.
   * @defaultValue the commit that this release was tested with, for models that it knows; otherwise `'main'`
   */
  revision?: string | undefined;
  /**
   * The number format of the weights. `'int8'` weights are made from the published ones on this machine at the first load,
   * which needs `prepare`; a folder written by `sentence-embedder prepare --out` already contains them. If they cannot be
   * made, because the disk is full or cannot be written to, a `warning` event says so and the model is loaded in fp32: see
   * {@link ModelInfo.precision}.
   * @defaultValue the folder's own: `'fp32'` unless it was prepared otherwise
   */
  precision?: Precision | undefined;
  /**
   * The ONNX file, relative to the model's folder.
   * @defaultValue `onnx/model.onnx` if it exists, else `model.onnx`
   */
  modelFile?: string | undefined;
  /**
   * The folder for downloaded and prepared models, created when needed. It has the layout of the Python package
   * huggingface_hub and can be shared with it.
   * @defaultValue `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`
   */
  cacheDir?: string | undefined;
  /**
   * Whether to stay off the network: missing files reject with `ERR_EMBED_OFFLINE`.
   * Has no effect on a folder, which never needs the network, nor on a model whose files are all in the cache.
   * @defaultValue `false`, unless the environment has `HF_HUB_OFFLINE=1`
   */
  offline?: boolean | undefined;
  /**
   * Whether to read every file and compare its hash before the model is used: for a hub model with the hash in the cache,
   * for a folder with the manifest that `pull --out` or `prepare --out` has written, which must exist. A file that differs
   * rejects with `ERR_EMBED_MODEL_INVALID`. Takes seconds for a large model.
   * @defaultValue `false`: files are verified when they are downloaded
   */
  verify?: boolean | undefined;
  /**
   * Whether to make a copy of the model at the first load, and to load that from then on, which is faster. The copy is
   * specific to this processor and this version of ONNX Runtime. Each load checks it against its hashes, and it is made
   * again when it or the model has changed. It is kept in `cacheDir` under `prepared`, else in the user's cache folder. If
   * it cannot be made, there is a `warning` and the model is loaded without it.
   * @defaultValue `true`
   */
  prepare?: boolean | undefined;
  /**
   * Number of threads that compute: from 1 to 256. A query that comes during bulk work has as many of its own, to which those
   * of the bulk work give way by a lower priority.
   * @defaultValue the physical cores available to this process, at most 8
   */
  threads?: number | undefined;
  /**
   * The maximum length of a text in tokens, special tokens included. It must exceed the number of special tokens and not
   * the model's limit. Longer texts are truncated, or rejected with `overflow: 'error'`.
   * @defaultValue from the model's files
   */
  maxTokens?: number | undefined;
  /**
   * How token embeddings are combined into one vector.
   * @defaultValue from the model's files
   */
  pooling?: Pooling | undefined;
  /**
   * Whether vectors are scaled to length 1, so that their dot product is their cosine similarity.
   * {@link EmbedOptions.normalize} overrides it for one call.
   * @defaultValue from the model's files
   */
  normalize?: boolean | undefined;
  /**
   * Called on the JavaScript thread with each step of the load. If it throws, the error is reported as an uncaught
   * exception and the load continues.
   */
  onProgress?: ((event: LoadEvent) => void) | undefined;
  /** Cancels the load, which rejects with `ERR_EMBED_ABORTED`; its `cause` is the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of one embedding call. All are optional; unknown names are rejected. */
export interface EmbedOptions {
  /**
   * The lane that the call waits in. A long `bulk` call makes way for `interactive` calls while it runs.
   * @defaultValue `'interactive'` for `embedOne`, `'bulk'` for `embedBatch` and `embedDetailed`
   */
  priority?: Priority | undefined;
  /** Cancels the call, which rejects with `ERR_EMBED_ABORTED`; its `cause` is the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * The time limit of the call in milliseconds, including time in the queue, after which it rejects with
   * `ERR_EMBED_TIMEOUT`: from 1 to 2,147,483,647.
   * @defaultValue no limit
   */
  timeoutMs?: number | undefined;
  /**
   * What happens to a text of more than `maxTokens` tokens: its end is cut off, or the whole call rejects with
   * `ERR_EMBED_TOO_LONG`.
   * @defaultValue `'truncate'`
   */
  overflow?: 'truncate' | 'error' | undefined;
  /**
   * Whether the vectors are scaled to length 1.
   * @defaultValue the embedder's own setting
   */
  normalize?: boolean | undefined;
  /**
   * Called on the JavaScript thread as texts are completed, at most 20 times a second and never after the call is settled.
   * `done` never decreases and ends at `total`, the number of texts. If it throws, the error is reported as an uncaught
   * exception and the call continues.
   */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Options of {@link Embedder.embedStream}: the batch size, and the options of each batch. */
export interface StreamOptions extends Omit<EmbedOptions, 'onProgress'> {
  /**
   * Number of texts that are read from the source and embedded together: from 1 to 65,536. Limits how far it reads ahead.
   * @defaultValue 256
   */
  batchSize?: number | undefined;
}

/** What {@link Embedder.embedStream} yields. */
export interface StreamedVector {
  /** The text's position in the source, from 0. */
  index: number;
  /** A view into the buffer of its batch; `slice()` makes an independent copy. */
  vector: Float32Array;
}

/** The result of {@link Embedder.embedDetailed}. Each array has one entry per text, in the order of the texts. */
export interface DetailedEmbeddings {
  /** The vectors: views into one buffer. */
  vectors: Float32Array[];
  /** Number of tokens of each text before truncation, special tokens included. */
  tokenCounts: Uint32Array;
  /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
  truncated: boolean[];
}

/** Describes a loaded model: everything that determines its vectors. */
export interface ModelInfo {
  /** The model's id on the hub if its files contain it, else the name of its folder. */
  readonly model: string;
  /** The commit of a model from the hub; `null` for a folder. */
  readonly revision: string | null;
  /** The model's folder. */
  readonly path: string;
  /** The ONNX file. */
  readonly modelFile: string;
  /** Length of a vector. */
  readonly dimension: number;
  /**
   * Lengths to which the model was trained to have its vectors cut with {@link truncateDimensions}: `matryoshka_dimensions`
   * in the model's config.json. Empty if it has none, as for most models, even some that were trained for it.
   */
  readonly matryoshkaDimensions: readonly number[];
  /** Maximum number of tokens of a text, special tokens included. Longer texts are truncated. */
  readonly maxTokens: number;
  /** How token embeddings are combined into one vector; `'model'` if the model itself outputs one vector per text. */
  readonly pooling: Pooling | 'model';
  /** Whether vectors are scaled to length 1 unless a call says otherwise. */
  readonly normalize: boolean;
  /** The number format that the model computes in. */
  readonly precision: Precision;
  /** Number of threads that compute. */
  readonly threads: number;
  /**
   * Identifies the vector space: 64 hexadecimal digits that depend on the weights, tokenizer.json, pooling, `normalize`,
   * `maxTokens` and `precision`. Vectors of two embedders are comparable if their fingerprints are equal. For 8-bit
   * weights, the original weights count, so a folder written by `sentence-embedder prepare --out` and weights converted on
   * this machine are the same space.
   */
  readonly fingerprint: string;
  /** The source of each value: a file of the model, the catalogue of known models, an option, or a rule. */
  readonly sources: {
    readonly maxTokens: string;
    readonly pooling: string;
    readonly normalize: string;
  };
}

/** What an embedder has done since it was loaded, and its memory use. */
export interface EmbedderStats {
  /** Number of texts embedded. */
  texts: number;
  /** Number of tokens that the model has read. */
  tokens: number;
  /** Number of texts whose end was cut off. */
  truncated: number;
  /** Number of rejected calls, except those with invalid arguments and those ended by their signal or by closing. */
  failures: number;
  /** Statistics for each {@link Priority}. */
  lanes: Record<Priority, LaneStats>;
  /** Resident memory of the whole process in bytes, `null` if the system does not report it. */
  memory: { residentBytes: number | null };
}

/** Statistics of one lane. Latency and speed cover the last minute. */
export interface LaneStats {
  /** Number of waiting texts. */
  queueDepth: number;
  /** Percentiles of the time from call to result, in milliseconds; 0 if there was none. */
  latencyMs: { p50: number; p95: number; p99: number };
  /** Texts embedded per second since the first call of that minute began. */
  textsPerSecond: number;
}

/** A vector that {@link topK} found. */
export interface VectorMatch {
  /** Its position among the vectors, from 0. */
  readonly index: number;
  /** Its cosine similarity to the query, from -1 to 1. */
  readonly score: number;
}

/** The result of {@link quantizeInt8}. */
export interface Int8Vectors {
  /** Values from -127 to 127: views into one buffer. */
  readonly vectors: Int8Array[];
  /** One scale per vector: `value * scale` restores the original number, except for rounding. */
  readonly scales: Float32Array;
}

/** Options of {@link truncateDimensions}. */
export interface TruncateOptions {
  /** The `info` of the embedder that made the vectors, which contains the lengths that the model was trained for. */
  model?: Pick<ModelInfo, 'matryoshkaDimensions'> | undefined;
  /**
   * Whether to cut vectors of a model that is not known to be trained for it. The loss is then unknown.
   * @defaultValue `false`
   */
  force?: boolean | undefined;
}
