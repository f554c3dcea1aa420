/** Every type of the public interface: what goes in, what comes out, and what each option does. */

/**
 * The stable codes that the `code` property of every error of this package carries.
 *
 * | code | meaning |
 * |---|---|
 * | `ERR_EMBED_INVALID_ARGUMENT` | an argument or option has the wrong type, an unknown name or is out of range |
 * | `ERR_EMBED_MODEL_NOT_FOUND` | the model's folder, or a file that it must have, is missing or cannot be read |
 * | `ERR_EMBED_MODEL_INVALID` | the model's files were read but cannot be used as they are |
 * | `ERR_EMBED_DOWNLOAD` | files could not be fetched from the hub |
 * | `ERR_EMBED_OFFLINE` | files are missing and `offline` forbids fetching them |
 * | `ERR_EMBED_RUNTIME_NOT_FOUND` | the native addon or the ONNX Runtime library is missing or cannot be loaded, or there is no server |
 * | `ERR_EMBED_INFERENCE` | ONNX Runtime, or the server or function that makes the vectors, failed |
 * | `ERR_EMBED_TOO_LONG` | a text has more tokens than the model reads and `overflow` is `'error'` |
 * | `ERR_EMBED_TIMEOUT` | the call did not finish within `timeoutMs` |
 * | `ERR_EMBED_ABORTED` | the call's `signal` was aborted; `cause` is the signal's reason |
 * | `ERR_EMBED_CLOSED` | the embedder was closed, or is not initialized |
 * | `ERR_EMBED_INTERNAL` | the system has no more threads, or a defect of this package: please report it |
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

/** What every rejected promise of this package carries: an `Error` with a stable code. */
export interface EmbedError extends Error {
  /** What went wrong, as a program can act on it. */
  readonly code: EmbedErrorCode;
  /** The error that led to this one, where there is one. */
  readonly cause?: unknown;
}

/**
 * How the token embeddings of a text become one vector: their mean, the first token's (`cls`), or the largest value of
 * each dimension.
 */
export type Pooling = 'mean' | 'cls' | 'max';

/** The numbers in which the model's weights are stored and multiplied. */
export type Precision = 'fp32' | 'int8';

/**
 * Which of two lanes a call waits in: `interactive` goes before `bulk`, which it can slow down but never starve.
 */
export type Priority = 'interactive' | 'bulk';

/** The files of a hub model are not all in the cache: they are fetched now. */
export interface DownloadStartedEvent {
  readonly type: 'download_started';
  /** The model's id on the hub. */
  readonly model: string;
  /** How many files are fetched. */
  readonly files: number;
  /** Bytes in all of them. */
  readonly total: number;
}

/** Bytes came in: told when a file is begun and complete, and in between at most 20 times a second. */
export interface DownloadProgressEvent {
  readonly type: 'download_progress';
  /** The file, relative to the model's folder. */
  readonly file: string;
  /** Bytes of it that are here, those of an earlier attempt included. */
  readonly loaded: number;
  /** Bytes in it. */
  readonly total: number;
  /** The share of all bytes of all files that is here, from 0 to 1. */
  readonly overall: number;
}

/** Every file of a hub model is in the cache, fetched now or before. */
export interface ModelCachedEvent {
  readonly type: 'model_cached';
  /** The model's id on the hub. */
  readonly model: string;
}

/** A copy of the model that loads faster is made, once. */
export interface PreparingEvent {
  readonly type: 'preparing';
  /** The model as {@link LoadOptions.model} named it. */
  readonly model: string;
}

/** The model, or the copy of it that was prepared, is opened. */
export interface LoadingEvent {
  readonly type: 'loading';
  /** The model as {@link LoadOptions.model} named it. */
  readonly model: string;
}

/** Something did not work that the load can do without. */
export interface WarningEvent {
  readonly type: 'warning';
  /** What, why, and what is done instead. */
  readonly message: string;
}

/** The model is ready. */
export interface ModelLoadedEvent {
  readonly type: 'model_loaded';
  /** The model as {@link LoadOptions.model} named it. */
  readonly model: string;
  /** Numbers in a vector. */
  readonly dimension: number;
  /** How long the load took, in milliseconds. */
  readonly loadTimeMs: number;
  /** Whether nothing had to be fetched. */
  readonly fromCache: boolean;
}

/**
 * One step of {@link Embedder.load}, as `onProgress` is told, in this order: `download_started`, `download_progress` many
 * times, `model_cached`, `preparing`, `loading`, `model_loaded`. What is not needed is left out. A prepared copy that turns out to be
 * damaged is prepared again after `loading`; one that cannot be made is told by `warning`, and the model is loaded as it is. More kinds
 * may be added: ignore those you do not know.
 */
export type LoadEvent =
  | DownloadStartedEvent
  | DownloadProgressEvent
  | ModelCachedEvent
  | PreparingEvent
  | LoadingEvent
  | WarningEvent
  | ModelLoadedEvent;

/** Options of {@link Embedder.load}. Every one may be left out; an unknown name is refused. */
export interface LoadOptions {
  /**
   * The model: a sentence-transformers folder, or the id of a model on the hub.
   * An absolute path, or one that starts with `./` or `../`, is always a folder.
   * @defaultValue `'sentence-transformers/paraphrase-multilingual-mpnet-base-v2'`
   */
  model?: string;
  /**
   * The commit, tag or branch of a model on the hub. No effect on a folder.
   * @defaultValue the commit that this release was tested with, for models it knows; otherwise `'main'`
   */
  revision?: string;
  /**
   * The numbers that the weights are kept and multiplied in. `'int8'` is made from the published weights on this machine at
   * the first load, so it needs `prepare`; a folder that `sentence-embedder prepare --out` wrote has it already.
   * @defaultValue the folder's own, which is `'fp32'` unless it was prepared otherwise
   */
  precision?: Precision;
  /**
   * The ONNX file, relative to the model's folder.
   * @defaultValue `onnx/model.onnx`, else `model.onnx`, whichever is there
   */
  modelFile?: string;
  /**
   * Where fetched and prepared models are kept: a folder, created when needed. Its layout is that of the Python package
   * huggingface_hub, with which it can be shared.
   * @defaultValue `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`
   */
  cacheDir?: string;
  /**
   * Whether to refuse to touch the network: files that are missing reject with `ERR_EMBED_OFFLINE`.
   * No effect on a folder, which never touches it, nor on a model whose files are all in the cache.
   * @defaultValue `false`, unless the environment has `HF_HUB_OFFLINE=1`
   */
  offline?: boolean;
  /**
   * Whether to read every file and compare its hash before the model is used: with that of the cache for a model of the
   * hub, with the manifest that `sentence-embedder pull --out` writes for a folder, which must have one. A file that differs
   * rejects with `ERR_EMBED_MODEL_INVALID`. Takes seconds for a large model.
   * @defaultValue `false`: files are verified when they are fetched
   */
  verify?: boolean;
  /**
   * Whether to keep a copy of the model that loads faster, made at the first load, and to load that from then on. The copy is
   * for this processor and this version of ONNX Runtime, is read and compared with its hashes at each load, and is made again
   * when it or the model was changed. It is in `cacheDir` under `prepared`, else in this user's folder for caches. When it
   * cannot be made, a `warning` is told and the model is loaded as it is.
   * @defaultValue `true`
   */
  prepare?: boolean;
  /**
   * How many threads compute: from 1 to 256.
   * @defaultValue the number of physical cores that this process may use, at most 8
   */
  threads?: number;
  /**
   * The longest text that is read, in tokens, special tokens included: more than these, up to what the model can read.
   * Longer texts are truncated, or refused with `overflow: 'error'`.
   * @defaultValue what the model's own files say
   */
  maxTokens?: number;
  /**
   * How token embeddings become one vector.
   * @defaultValue what the model's own files say
   */
  pooling?: Pooling;
  /**
   * Whether vectors are scaled to length 1, so that their dot product is their cosine.
   * {@link EmbedOptions.normalize} overrides it for one call.
   * @defaultValue what the model's own files say
   */
  normalize?: boolean;
  /**
   * Called on the JavaScript thread with each step of the load. An exception that it throws is reported as uncaught and
   * does not disturb the load.
   */
  onProgress?: (event: LoadEvent) => void;
  /** Cancels the load: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
  signal?: AbortSignal;
}

/** Options of one embedding call. Every one may be left out; an unknown name is refused. */
export interface EmbedOptions {
  /**
   * The lane that the call waits in. A long `bulk` call makes way for `interactive` calls as it runs.
   * @defaultValue `'interactive'` for `embedOne`, `'bulk'` for `embedBatch` and `embedDetailed`
   */
  priority?: Priority;
  /** Cancels the call: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
  signal?: AbortSignal;
  /**
   * How long the call may take, waiting included, before it rejects with `ERR_EMBED_TIMEOUT`: from 1 to 2,147,483,647
   * milliseconds.
   * @defaultValue no limit
   */
  timeoutMs?: number;
  /**
   * What happens to a text of more than `maxTokens` tokens: its beginning is embedded, or the whole call rejects with
   * `ERR_EMBED_TOO_LONG`.
   * @defaultValue `'truncate'`
   */
  overflow?: 'truncate' | 'error';
  /**
   * Whether the vectors are scaled to length 1.
   * @defaultValue the `normalize` that the embedder was loaded with
   */
  normalize?: boolean;
  /**
   * Called on the JavaScript thread as texts are done. `done` never falls and ends at `total`, the number of texts. An
   * exception that it throws is reported as uncaught and does not disturb the call.
   */
  onProgress?: (done: number, total: number) => void;
}

/** Options of {@link Embedder.embedStream}: those of each batch, and its size. */
export interface StreamOptions extends Omit<EmbedOptions, 'onProgress'> {
  /**
   * Texts that are taken from the source and embedded together: from 1 to 65,536. It bounds how far the source is read ahead.
   * @defaultValue 256
   */
  batchSize?: number;
}

/** What {@link Embedder.embedStream} yields. */
export interface StreamedVector {
  /** The text's place in the source, from 0. */
  index: number;
  /** A view over the buffer of its batch; `slice()` makes a copy that stands alone. */
  vector: Float32Array;
}

/** What {@link Embedder.embedDetailed} answers: one entry a text in each list, in the order of the texts. */
export interface DetailedEmbeddings {
  /** One vector a text: views over one buffer. */
  vectors: Float32Array[];
  /** Tokens of each text before truncation, special tokens included. */
  tokenCounts: Uint32Array;
  /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
  truncated: boolean[];
}

/** What a loaded embedder is: everything that decides its vectors. */
export interface ModelInfo {
  /** The model's id on the hub where its files tell it, else the name of its folder. */
  readonly model: string;
  /** The commit of a model from the hub; `null` for a folder. */
  readonly revision: string | null;
  /** The model's folder. */
  readonly path: string;
  /** The ONNX file. */
  readonly modelFile: string;
  /** Numbers in a vector. */
  readonly dimension: number;
  /**
   * Lengths that the vectors were trained to be cut to with {@link truncateDimensions}: `matryoshka_dimensions` of the model's
   * config.json. Empty where it says nothing, which is so for most models, even for some that were.
   */
  readonly matryoshkaDimensions: readonly number[];
  /** Tokens that are read of a text, special tokens included. */
  readonly maxTokens: number;
  /** How token embeddings become one vector; `'model'` where the model's output is one vector a text already. */
  readonly pooling: Pooling | 'model';
  /** Whether vectors have length 1 unless a call says otherwise. */
  readonly normalize: boolean;
  /** The numbers that the model computes in. */
  readonly precision: Precision;
  /** Threads that compute. */
  readonly threads: number;
  /**
   * Names the vector space: 64 hexadecimal digits over the content of the weights and of tokenizer.json, pooling,
   * `normalize`, `maxTokens` and `precision`. Vectors of two embedders can be compared if their fingerprints are the same.
   * Of 8-bit weights those count that they were made from, so that a folder of `sentence-embedder prepare --out` and the same
   * made on this machine are one space.
   */
  readonly fingerprint: string;
  /** Where a value came from: a file of the model, the catalogue of known models, an option, or a rule. */
  readonly sources: {
    readonly maxTokens: string;
    readonly pooling: string;
    readonly normalize: string;
  };
}

/** What an embedder has done since it was loaded and what it costs. */
export interface EmbedderStats {
  /** Texts embedded. */
  texts: number;
  /** Tokens that the model has read. */
  tokens: number;
  /** Texts whose end was cut off. */
  truncated: number;
  /** Calls that were rejected, other than by their signal or by closing. */
  failures: number;
  /** Figures of each {@link Priority}. */
  lanes: Record<Priority, LaneStats>;
  /** Memory of the whole process: resident bytes, `null` where the system does not tell. */
  memory: { residentBytes: number | null };
}

/** How one lane is doing. Speeds are those of the last minute. */
export interface LaneStats {
  /** Texts that wait. */
  queueDepth: number;
  /** How long calls took, from call to answer, in milliseconds: percentiles; 0 when there was none. */
  latencyMs: { p50: number; p95: number; p99: number };
  /** Texts embedded a second. */
  textsPerSecond: number;
}

/** A vector that {@link topK} found. */
export interface VectorMatch {
  /** Its place among the vectors, from 0. */
  readonly index: number;
  /** The cosine of its angle to the query, from -1 to 1. */
  readonly score: number;
}

/** What {@link quantizeInt8} answers. */
export interface Int8Vectors {
  /** From -127 to 127: views over one buffer. */
  readonly vectors: Int8Array[];
  /** One a vector: times it, a value is what it was, to rounding. */
  readonly scales: Float32Array;
}

/** Options of {@link truncateDimensions}. */
export interface TruncateOptions {
  /** The `info` of the embedder that made the vectors: it says which lengths the model was trained for. */
  model?: Pick<ModelInfo, 'matryoshkaDimensions'>;
  /**
   * Whether to cut vectors of a model that is not known to be trained for that: what is lost then was measured by nobody.
   * @defaultValue `false`
   */
  force?: boolean;
}
