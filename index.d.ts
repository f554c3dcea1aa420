// Made from lib/ by "npm run build:types". Change the sources instead.
/// <reference lib="esnext.disposable" />

/**
 * Compresses vectors to a thirty-second of the memory: one bit per number, 1 if it is above zero. Compare them by Hamming
 * distance. Eight dimensions share a byte, the first in the highest bit, as in `ubinary` of sentence-transformers; unused
 * bits are 0. The method is from Charikar, Similarity Estimation Techniques from Rounding Algorithms (2002), with the
 * coordinate hyperplanes instead of random ones.
 *
 * The loss on real texts is large, see docs/vectors.md: retrieve many candidates this way and re-rank them by their full
 * vectors.
 *
 * Throws as {@link quantizeInt8} does.
 */
export declare function binarize(vectors: readonly Float32Array[]): Uint8Array[];

/** Additional options of one call. */
export declare interface CallOptions {
    /** Cancels the call, which rejects with `ERR_EMBED_ABORTED`; its `cause` is the signal's reason. */
    signal?: AbortSignal | undefined;
    /**
     * Whether the call goes before `'bulk'` calls.
     * @defaultValue `'interactive'` for one text, else `'bulk'`
     */
    priority?: Priority | undefined;
}

/** Checks whether vectors of `embedder` may be added to, and compared with, the index in `dir`. */
export declare function checkIndexStamp(dir: string, embedder: Stampable, options?: IndexCheckOptions): Promise<IndexCheck>;

/**
 * The cosine similarity of two vectors of equal length, from -1 to 1. It is 0 if one is all zeros, and NaN if a number is
 * NaN or infinite. Sums use 32 bits, or 64 bits if 32 are not enough.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if the vectors are empty or differ in length.
 */
export declare function cosineSimilarity(a: Float32Array, b: Float32Array): number;

/** A factory for production: the model is in this process unless `overrides` says otherwise. */
export declare function createProductionFactory(overrides?: FactoryConfig): EmbedderFactory;

/** A factory for an app's own tests: vectors are hashes of the texts, without a model or native code. */
export declare function createTestFactory(overrides?: FactoryConfig): EmbedderFactory;

/** Options of the kind `'custom'`. */
export declare interface CustomConfig extends IEmbedderConfig {
    custom?: {
        /** Computes the vectors. */
        embed: EmbedFunction;
        /** Identifies the vector space in index stamps: change it whenever the vectors change. */
        fingerprint: string;
        /** Called by `shutdown`, and when the session is replaced. It is waited for up to `drainTimeout`. */
        close?: (() => Promise<void>) | undefined;
    } | undefined;
}

/** An {@link IEmbedder} over a function. */
export declare class CustomEmbedder extends ManagedEmbedder {
    constructor(config: CustomConfig);
}

/** The result of {@link Embedder.embedDetailed}. Each array has one entry per text, in the order of the texts. */
export declare interface DetailedEmbeddings {
    /** The vectors: views into one buffer. */
    vectors: Float32Array[];
    /** Number of tokens of each text before truncation, special tokens included. */
    tokenCounts: Uint32Array;
    /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
    truncated: boolean[];
}

/**
 * The dot product of two vectors of equal length; if both have length 1, it equals their cosine. NaN if a number is NaN.
 *
 * Throws as {@link cosineSimilarity} does.
 */
export declare function dot(a: Float32Array, b: Float32Array): number;

/** Download progress: sent when a file starts and completes, and at most 20 times a second in between. */
export declare interface DownloadProgressEvent {
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

/**
 * Some files of a hub model are not in the cache; their download starts. Sent again where a large graph that was among
 * them says that its weights are in further files.
 */
export declare interface DownloadStartedEvent {
    readonly type: 'download_started';
    /** The model's id on the hub. */
    readonly model: string;
    /** Number of files to download. */
    readonly files: number;
    /** Total size of these files in bytes. */
    readonly total: number;
}

/**
 * Embeds an array of texts with the default model, which the first call loads: see {@link embedOne} of this module and
 * {@link Embedder.embedBatch}.
 */
export declare function embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;

/**
 * A loaded model that computes the vectors of texts, off the JavaScript thread.
 *
 * Any number of calls can run at once; each returns its vectors in the order of its texts. A text's vector does not depend
 * on the other texts in the call. A rejected call returns no partial results and leaves the embedder usable.
 *
 * @example
 * ```ts
 * import { Embedder } from 'sentence-embedder';
 *
 * const embedder = await Embedder.load({ model: './models/all-MiniLM-L6-v2' });
 * const [cat, dog] = await embedder.embedBatch(['a cat', 'a dog']);
 * await embedder.close();
 * ```
 */
export declare class Embedder {
    #private;
    /** Describes the loaded model: everything that determines its vectors. Frozen. */
    readonly info: ModelInfo;
    /** Does the same as {@link Embedder.close}, for `await using`. Exists only if the runtime has `Symbol.asyncDispose`. */
    readonly [Symbol.asyncDispose]: () => Promise<void>;
    private constructor();
    /**
     * Loads a model. Once it is loaded, nothing is sent over the network.
     *
     * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_MODEL_NOT_FOUND`, `_MODEL_INVALID`, `_DOWNLOAD`, `_OFFLINE`,
     * `_RUNTIME_NOT_FOUND`, `_ABORTED`, `_INFERENCE` if memory runs out, or `_INTERNAL` if threads run out.
     */
    static load(options?: LoadOptions): Promise<Embedder>;
    /**
     * Embeds one text. Goes before bulk calls unless `priority` says otherwise.
     *
     * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_TOO_LONG`, `_TIMEOUT`, `_ABORTED`, `_CLOSED`, `_INFERENCE` or `_INTERNAL`.
     */
    embedOne(text: string, options?: EmbedOptions): Promise<Float32Array>;
    /**
     * Embeds an array of texts and returns one vector per text, in the same order. The vectors are views into one buffer, so
     * keeping one keeps them all in memory; `slice()` makes an independent copy. An empty array returns an empty array.
     *
     * Rejects as {@link Embedder.embedOne} does.
     */
    embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
    /**
     * Embeds an array of texts as {@link Embedder.embedBatch} does, and also returns each text's number of tokens and whether
     * it was truncated.
     */
    embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
    /**
     * Embeds texts from an iterable and yields their vectors in order. At most `batchSize` texts are read ahead, so memory
     * does not grow with their number. Leaving the loop early closes the source. `timeoutMs` applies to each batch; `signal`
     * is checked when a batch is embedded, not while waiting for the source.
     *
     * Rejects as {@link Embedder.embedBatch} does, and then closes the source. Also rejects with the source's own error;
     * texts of the batch that is not yet full are then not embedded. The embedder stays usable.
     */
    embedStream(source: AsyncIterable<string> | Iterable<string>, options?: StreamOptions): AsyncGenerator<StreamedVector, void, undefined>;
    /**
     * Counts the tokens of each text as the model would read it: before truncation, special tokens included.
     *
     * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_CLOSED`, `_INFERENCE` or `_INTERNAL`.
     */
    countTokens(texts: readonly string[]): Promise<Uint32Array>;
    /** Statistics of this embedder. Still available after {@link Embedder.close}. */
    stats(): EmbedderStats;
    /**
     * Frees the model. Unfinished and later calls reject with `ERR_EMBED_CLOSED`. Resolves when all threads have ended.
     * Closing again does nothing more.
     */
    close(): Promise<void>;
}

/** An event of an embedder, passed to `onEvent`. */
export declare type EmbedderEvent = StageEvent | ErrorEvent | RestartEvent | FallbackEvent;

/** Creates embedders from one configuration. */
export declare class EmbedderFactory {
    /** The configuration. Frozen. */
    readonly config: FactoryConfig;
    constructor(config?: FactoryConfig);
    /** Validates the configuration and returns its problems as messages. Looks at nothing else. */
    validateConfig(): {
        valid: boolean;
        errors: string[];
    };
    /**
     * Creates an embedder that is not initialized yet. Throws `ERR_EMBED_INVALID_ARGUMENT` if the configuration is invalid.
     */
    create(): ManagedEmbedder | FallbackEmbedder;
}

/**
 * What computes the vectors: this process, a separate process, an HTTP server (two kinds), your own function, or a hash for
 * tests.
 */
export declare type EmbedderKind = 'native' | 'isolated' | 'sidecar' | 'ollama' | 'custom' | 'test';

/** What an embedder has done since it was loaded, and its memory use. */
export declare interface EmbedderStats {
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
    memory: {
        residentBytes: number | null;
    };
}

/** The error of every rejected promise of this package: an `Error` with a stable code. */
export declare interface EmbedError extends Error {
    /** What went wrong, for programs to act on. */
    readonly code: EmbedErrorCode;
    /** The underlying error, if there is one. */
    readonly cause?: unknown;
}

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
export declare type EmbedErrorCode = 'ERR_EMBED_INVALID_ARGUMENT' | 'ERR_EMBED_MODEL_NOT_FOUND' | 'ERR_EMBED_MODEL_INVALID' | 'ERR_EMBED_DOWNLOAD' | 'ERR_EMBED_OFFLINE' | 'ERR_EMBED_RUNTIME_NOT_FOUND' | 'ERR_EMBED_INFERENCE' | 'ERR_EMBED_TOO_LONG' | 'ERR_EMBED_TIMEOUT' | 'ERR_EMBED_ABORTED' | 'ERR_EMBED_CLOSED' | 'ERR_EMBED_INTERNAL';

/** A function that returns one vector per text, in the order of the texts. */
export declare type EmbedFunction = (texts: readonly string[], options: {
    signal: AbortSignal;
}) => Promise<readonly (readonly number[] | Float32Array | Float64Array)[]>;

/**
 * Embeds one text with the default model, which the first call loads: see {@link LoadOptions.model}.
 *
 * Takes the options of {@link Embedder.embedOne}. `timeoutMs` does not include the time for loading. `signal` ends only
 * this call's wait for the load, which continues for other calls.
 *
 * Rejects as {@link Embedder.load} and {@link Embedder.embedOne} do.
 */
export declare function embedOne(text: string, options?: EmbedOptions): Promise<Float32Array>;

/** Options of one embedding call. All are optional; unknown names are rejected. */
export declare interface EmbedOptions {
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

/** A start failed, or a session failed permanently. */
export declare interface ErrorEvent {
    readonly type: 'stage';
    readonly stage: 'error';
    readonly kind: EmbedderKind;
    readonly message: string;
    readonly code: EmbedErrorCode;
    readonly error: EmbedError;
}

/**
 * The configuration of an {@link EmbedderFactory}. It may contain options of kinds that it does not use, so that switching
 * is a change of `kind` alone; they are checked too.
 */
export declare interface FactoryConfig extends InProcessConfig, SidecarConfig, OllamaConfig, CustomConfig, TestConfig {
    /**
     * What computes the vectors.
     * @defaultValue `'native'`
     */
    kind?: EmbedderKind | undefined;
    /**
     * Kinds to try, in this order, if the previous one cannot start.
     * @defaultValue none
     */
    fallback?: readonly EmbedderKind[] | undefined;
    /**
     * The folder of the index for the vectors: a fallback whose vectors do not match its stamp is not used.
     * @defaultValue none: the app checks the stamp itself
     */
    indexDir?: string | undefined;
}

/**
 * An {@link IEmbedder} that uses the first of several kinds that starts. It emits an event when that is not the first, and
 * never changes afterwards, so one index gets the vectors of one kind. {@link checkIndexStamp} shows whether they match an
 * existing index.
 */
export declare class FallbackEmbedder implements IEmbedder {
    #private;
    private constructor();
    /** The kind that has started; before that, the first one. */
    get kind(): EmbedderKind;
    /** See {@link ManagedEmbedder.lastError}. If no kind starts, the error of the last one. */
    get lastError(): EmbedError | undefined;
    /** See {@link ManagedEmbedder.space}. */
    get space(): VectorSpace | undefined;
    /** Starts the first kind that works. See {@link ManagedEmbedder.initialize}. */
    initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean>;
    embed(texts: readonly string[], options?: CallOptions): Promise<number[][]>;
    /** Like `embed`, without the cost of copying to plain arrays. */
    embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]>;
    embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]>;
    shouldRestart(): Promise<boolean>;
    /** Replaces the session with a fresh one of the same kind. Before the first start, it does the same as `initialize`. */
    restart(): Promise<void>;
    shutdown(): Promise<void>;
    getStats(): IEmbedderStats;
}

/** A kind could not start, or its vectors do not match the index; the next kind is tried. */
export declare interface FallbackEvent {
    readonly type: 'fallback';
    readonly from: EmbedderKind;
    readonly to: EmbedderKind;
    readonly error: EmbedError;
}

/** The interface of an embedder that an app can start, restart and shut down. */
export declare interface IEmbedder {
    /** Starts the embedder. Resolves to whether that worked and never rejects. */
    initialize(): Promise<boolean>;
    /** Returns one vector per text, in the order of the texts. An empty array returns an empty array. */
    embed(texts: readonly string[]): Promise<number[][]>;
    /** The same, with up to `maxRetries` retries of transient failures. Invalid arguments are never retried. */
    embedWithRetry(texts: readonly string[], maxRetries?: number): Promise<number[][]>;
    /** Whether a configured limit is reached that a restart resets. */
    shouldRestart(): Promise<boolean>;
    /** Replaces the session with a fresh one. Calls in progress are completed. */
    restart(): Promise<void>;
    /** Completes the calls in progress, then frees everything. */
    shutdown(): Promise<void>;
    /** Statistics of the session. */
    getStats(): IEmbedderStats;
}

/**
 * Options of every kind of {@link IEmbedder}. All are optional; unknown names are rejected. They are read when the embedder
 * is created: changing them later has no effect, except inside `custom`.
 */
export declare interface IEmbedderConfig {
    /**
     * The model: a folder, an id on the hub, or the bare name of a sentence-transformers model. For `'ollama'`, the name of
     * the model in Ollama, which has no default.
     * @defaultValue `'sentence-transformers/paraphrase-multilingual-mpnet-base-v2'`
     */
    modelName?: string | undefined;
    /**
     * Number of texts per batch: from 1 to 4096. Doubled if all of them are short (up to 200 characters).
     * @defaultValue `32`
     */
    batchSize?: number | undefined;
    /**
     * Whether vectors are scaled to length 1.
     * @defaultValue `true`
     */
    normalizeVectors?: boolean | undefined;
    /**
     * The time limit of one batch in milliseconds: from 1 to 2,147,483,647. Waiting for earlier batches does not count, except
     * for one: the kinds that run the model here have two bulk batches under way at once. For kinds that use HTTP it is at most
     * 300,000, which is Node's own limit.
     * @defaultValue `30000`
     */
    timeout?: number | undefined;
    /**
     * How often `embedWithRetry` retries, and `embed` of the kinds that use HTTP: from 0 to 100.
     * @defaultValue `2`
     */
    retries?: number | undefined;
    /**
     * The pause before each retry in milliseconds: from 0 to 60,000.
     * @defaultValue `1000`
     */
    retryDelay?: number | undefined;
    /**
     * Whether `initialize` loads the model. If `false`, the first call of `embed` does.
     * @defaultValue `true`
     */
    autoStart?: boolean | undefined;
    /**
     * Whether to replace a failed session and repeat the call, up to three times in a row without a success. If `false`, the
     * call rejects; for `'native'` and `'isolated'`, so do all later calls until `initialize` or `restart`.
     * @defaultValue `true`
     */
    autoRestart?: boolean | undefined;
    /**
     * Number of successful calls of `embed` after which `shouldRestart` returns true: 1 or more.
     * @defaultValue `5000`
     */
    maxFilesBeforeRestart?: number | undefined;
    /**
     * Resident memory of the process in MB above which `shouldRestart` returns true: 1 or more. If a restart does not bring
     * memory below the limit, it returns true again only after another quarter of growth. No effect if the model is in
     * another process.
     * @defaultValue `1500`
     */
    maxMemoryMB?: number | undefined;
    /**
     * How long `shutdown` and `restart` wait for calls in progress, in milliseconds: from 0 to 2,147,483,647. After that, a
     * shutdown rejects the calls with `ERR_EMBED_CLOSED`, and a restart hands them to the fresh session.
     * @defaultValue `10000`
     */
    drainTimeout?: number | undefined;
    /** Called with each event. If it throws, the error is reported as an uncaught exception and nothing else changes. */
    onEvent?: ((event: EmbedderEvent) => void) | undefined;
}

/** The result of {@link IEmbedder.getStats}. */
export declare interface IEmbedderStats {
    /** Successful calls of `embed` since the session started; an app typically makes one or more per file. */
    filesSinceSpawn: number;
    /** Whether calls are accepted: from a successful `initialize` until a permanent failure or a shutdown. */
    isReady: boolean;
    /** Memory of the process that holds the model, in bytes; missing if that is not this process. */
    memoryUsage?: {
        rss: number;
        heapUsed: number;
        external: number;
    };
}

/** The result of {@link checkIndexStamp}. */
export declare interface IndexCheck {
    readonly verdict: IndexVerdict;
    /** The reason for the verdict, as a sentence. */
    readonly reason: string;
    /** The stamp found, or the one derived from `.db-version`. */
    readonly stamp?: IndexStamp;
    /** The integer in `.db-version`; `null` if there is none. */
    readonly dbVersion: number | null;
}

/** Options of {@link checkIndexStamp}. */
export declare interface IndexCheckOptions {
    /**
     * For indexes without a stamp: the vector space of each integer in `.db-version`. Omitted properties count as unknown,
     * except `normalize`, which defaults to true, and `precision` of a sidecar, which defaults to fp32.
     */
    legacy?: Readonly<Record<number, LegacySpace>> | undefined;
}

/** What an index was made with: its vector space, and when the stamp was written. */
export declare interface IndexStamp extends VectorSpace {
    /** The integer in `.db-version` when the stamp was written; `null` if there was none. */
    readonly dbVersion: number | null;
    /** When the stamp was written, as ISO 8601. */
    readonly writtenAt: string;
}

/**
 * Whether the vectors of an embedder match those of an index.
 *
 * | verdict | meaning | what to do |
 * |---|---|---|
 * | `match` | the same vector space | continue |
 * | `compatible` | same model and precision, from another program or without a fingerprint | continue and write the stamp |
 * | `missing` | it is unknown what the index was made with | write the stamp if the index is empty, else re-index |
 * | `reindex` | a different vector space | re-index |
 */
export declare type IndexVerdict = 'match' | 'missing' | 'compatible' | 'reindex';

/** Options of the kinds `'native'` and `'isolated'`. */
export declare interface InProcessConfig extends IEmbedderConfig {
    /** Other options of {@link Embedder.load}. */
    load?: Omit<LoadOptions, 'model' | 'normalize' | 'onProgress' | 'signal'> | undefined;
}

/**
 * An {@link IEmbedder} over an {@link Embedder} in this process.
 *
 * @example
 * ```ts
 * import { InProcessEmbedder } from 'sentence-embedder';
 *
 * const embedder = new InProcessEmbedder({ modelName: './models/all-MiniLM-L6-v2' });
 * if (!(await embedder.initialize())) throw embedder.lastError;
 * const vectors = await embedder.embed(['a cat', 'a dog']);
 * await embedder.shutdown();
 * ```
 */
export declare class InProcessEmbedder extends ManagedEmbedder {
    constructor(config?: InProcessConfig);
    /** The loaded model, for features that {@link IEmbedder} lacks, such as counting tokens. A restart replaces it. */
    get embedder(): Embedder | undefined;
}

/** The result of {@link quantizeInt8}. */
export declare interface Int8Vectors {
    /** Values from -127 to 127: views into one buffer. */
    readonly vectors: Int8Array[];
    /** One scale per vector: `value * scale` restores the original number, except for rounding. */
    readonly scales: Float32Array;
}

/**
 * An {@link IEmbedder} over an {@link Embedder} in a separate process: a utility process in Electron's main process,
 * otherwise a child process of Node. It has the same vectors and the same `space` as {@link InProcessEmbedder}.
 *
 * After a crash, another process is started, up to three times in a row without a success, and the calls in progress are
 * repeated once, one batch at a time. A batch that also crashes the second process is given up: its call rejects with
 * `ERR_EMBED_INFERENCE`, whose `cause` has `exitCode`, `signal` and `stderr`. The process ends with `shutdown`, and
 * whenever this process ends.
 *
 * @example
 * ```ts
 * import { IsolatedEmbedder } from 'sentence-embedder';
 *
 * const embedder = new IsolatedEmbedder({ modelName: './models/all-MiniLM-L6-v2' });
 * if (!(await embedder.initialize())) throw embedder.lastError;
 * const vectors = await embedder.embed(['a cat', 'a dog']);
 * await embedder.shutdown();
 * ```
 */
export declare class IsolatedEmbedder extends ManagedEmbedder {
    constructor(config?: InProcessConfig);
    /** The id of the process with the model; `undefined` before a session has started. A restart changes it. */
    get pid(): number | undefined;
}

/** Statistics of one lane. Latency and speed cover the last minute. */
export declare interface LaneStats {
    /** Number of waiting texts. */
    queueDepth: number;
    /** Percentiles of the time from call to result, in milliseconds; 0 if there was none. */
    latencyMs: {
        p50: number;
        p95: number;
        p99: number;
    };
    /** Texts embedded per second since the first call of that minute began. */
    textsPerSecond: number;
}

/** The vector space that an integer in `.db-version` stands for. */
export declare type LegacySpace = Partial<VectorSpace> & Pick<VectorSpace, 'kind' | 'model'>;

/**
 * A step of {@link Embedder.load}, passed to `onProgress`. The order is `download_started`, `download_progress` (many
 * times), `model_cached`, `preparing`, `loading`, `model_loaded`; unnecessary steps are left out. A damaged prepared copy
 * is made again after `loading`. If a copy cannot be made, there is a `warning` and the model is loaded without one. Later
 * releases may add types: ignore those you do not know.
 */
export declare type LoadEvent = DownloadStartedEvent | DownloadProgressEvent | ModelCachedEvent | PreparingEvent | LoadingEvent | WarningEvent | ModelLoadedEvent;

/** The model, or its prepared copy, is being opened. */
export declare interface LoadingEvent {
    readonly type: 'loading';
    /** The model, as named in {@link LoadOptions.model}. */
    readonly model: string;
}

/** Options of {@link Embedder.load}. All are optional; unknown names are rejected. */
export declare interface LoadOptions {
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

/**
 * The base class of the drop-in embedders. A session, which subclasses start, computes the vectors; it is replaced by
 * {@link ManagedEmbedder.restart}, and after a failure.
 */
export declare abstract class ManagedEmbedder implements IEmbedder {
    #private;
    /** What computes the vectors. */
    readonly kind: EmbedderKind;
    protected constructor(kind: never, traits: never, config: never, start: never);
    /** The last error of a start or a session; `undefined` after a successful start. */
    get lastError(): EmbedError | undefined;
    /** What determines the vectors, for index stamps; `undefined` before a session has started. */
    get space(): VectorSpace | undefined;
    /**
     * Starts the session. Resolves to false if that fails; the reason is in `lastError`. Has no effect during a start or
     * while the session works; after a failure or a shutdown it starts a new one.
     *
     * @param options - `signal` cancels the start, which then resolves to false for all who wait for it.
     */
    initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean>;
    /** Returns one vector per text, in the order of the texts, as plain arrays. */
    embed(texts: readonly string[], options?: CallOptions): Promise<number[][]>;
    /** The same, retrying each batch up to `maxRetries` times; the default is `retries` of the configuration. */
    embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]>;
    /** Like {@link ManagedEmbedder.embed}, without the cost of copying to plain arrays. */
    embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]>;
    /** Whether `maxFilesBeforeRestart` or `maxMemoryMB` is reached; false without a session. */
    shouldRestart(): Promise<boolean>;
    /**
     * Replaces the session with a fresh one; the old one completes its calls first. Without a session, and after it has failed
     * for good, it does the same as `initialize`. Rejects if the start fails or the model now has another vector space; the old
     * session then stays, unless the two cannot exist at the same time.
     */
    restart(): Promise<void>;
    /**
     * Stops accepting calls, waits up to `drainTimeout` for those in progress, and frees everything. Cancels a start in
     * progress. Never rejects.
     */
    shutdown(): Promise<void>;
    getStats(): IEmbedderStats;
}

/** All files of a hub model are in the cache, whether downloaded now or before. */
export declare interface ModelCachedEvent {
    readonly type: 'model_cached';
    /** The model's id on the hub. */
    readonly model: string;
}

/** Describes a loaded model: everything that determines its vectors. */
export declare interface ModelInfo {
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

/** The model is ready. */
export declare interface ModelLoadedEvent {
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

/** Options of the kind `'ollama'`. */
export declare interface OllamaConfig extends IEmbedderConfig {
    ollama?: (ServerOptions & {
        /** The model's name in Ollama, such as `'bge-m3'`; default: `modelName`. */
        model?: string | undefined;
    }) | undefined;
}

/** An {@link IEmbedder} over Ollama. */
export declare class OllamaEmbedder extends ManagedEmbedder {
    constructor(config?: OllamaConfig);
}

/**
 * How the token embeddings of a text are combined into one vector: their mean, the first token's (`cls`), or the maximum of
 * each dimension.
 */
export declare type Pooling = 'mean' | 'cls' | 'max';

/** The number format in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/** A copy of the model that loads faster is being made. This happens once. */
export declare interface PreparingEvent {
    readonly type: 'preparing';
    /** The model, as named in {@link LoadOptions.model}. */
    readonly model: string;
}

/** The lane that a call waits in. `interactive` calls go before `bulk` calls, which they can slow down but never starve. */
export declare type Priority = 'interactive' | 'bulk';

/**
 * Compresses vectors to a quarter of the memory as `round(x / scale)`, where a vector's `scale` is its largest `|x|`
 * divided by 127. `value * scale` differs from `x` by at most `scale / 2`. Scales do not affect cosine similarity: a
 * database that compares by cosine needs `vectors` alone. Zero vectors stay zero, with a scale of 0. docs/vectors.md shows
 * the loss on real texts.
 *
 * This is symmetric quantisation as in Jacob et al., Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference (2018), with one scale per vector.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if lengths differ or a number is not finite.
 */
export declare function quantizeInt8(vectors: readonly Float32Array[]): Int8Vectors;

/** Reads the stamp in an index's folder; `undefined` if there is none or the file is not a valid stamp. */
export declare function readIndexStamp(dir: string): Promise<IndexStamp | undefined>;

/** A session is about to be replaced. */
export declare interface RestartEvent {
    readonly type: 'restart';
    readonly kind: EmbedderKind;
    /** Whether the app requested it or the session failed. */
    readonly reason: 'requested' | 'failure';
    /** The number of this attempt, from 1 to 3; 1 if the app requested it. */
    readonly attempt: number;
    /** The failure that caused it. */
    readonly error?: EmbedError;
}

/** The address of a server, and how long it may take to start. */
export declare interface ServerOptions {
    /** The server's address, without user name, password, query or fragment. */
    url?: string | undefined;
    /**
     * How long the server may take to become ready, in milliseconds.
     * @defaultValue `120000`
     */
    startTimeout?: number | undefined;
}

/** Options of the kind `'sidecar'`: the HTTP server that this package replaces. */
export declare interface SidecarConfig extends IEmbedderConfig {
    sidecar?: (ServerOptions & {
        /** The model's name in the sidecar; default: `modelName`, or the last part of it if that is a path. */
        model?: string | undefined;
        /**
         * How token embeddings are combined into one vector.
         * @defaultValue `'mean'`
         */
        pooling?: Pooling | undefined;
        /**
         * The server's program, if this process is to start it. It is started unless a server already answers, and stopped by
         * `shutdown` and when this process exits. A signal that ends this process, such as SIGTERM without a listener, leaves
         * it running: the next start then uses it, but nothing stops it any more.
         */
        command?: {
            file: string;
            args?: readonly string[] | undefined;
            cwd?: string | undefined;
            env?: Readonly<Record<string, string | undefined>> | undefined;
        } | undefined;
    }) | undefined;
}

/** An {@link IEmbedder} over the sidecar. Like the sidecar's own client, it sends one request at a time. */
export declare class SidecarEmbedder extends ManagedEmbedder {
    constructor(config?: SidecarConfig);
}

/** A stage of a start. */
export declare interface StageEvent {
    readonly type: 'stage';
    readonly stage: Exclude<StartupStage, 'error'>;
    readonly kind: EmbedderKind;
    /** A description of the stage. */
    readonly message: string;
    /** Progress of this stage, from 0 to 1, if known. */
    readonly progress?: number;
}

/** An embedder with a known vector space: an {@link Embedder}, or a started {@link IEmbedder} of this package. */
export declare type Stampable = Embedder | {
    readonly space: VectorSpace | undefined;
};

/**
 * The stages of a start, in this order. Unnecessary ones are left out, and a start never goes back to an earlier one. A
 * damaged prepared copy is made again during `'loading'`.
 */
export declare type StartupStage = 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready' | 'error';

/** What {@link Embedder.embedStream} yields. */
export declare interface StreamedVector {
    /** The text's position in the source, from 0. */
    index: number;
    /** A view into the buffer of its batch; `slice()` makes an independent copy. */
    vector: Float32Array;
}

/** Options of {@link Embedder.embedStream}: the batch size, and the options of each batch. */
export declare interface StreamOptions extends Omit<EmbedOptions, 'onProgress'> {
    /**
     * Number of texts that are read from the source and embedded together: from 1 to 65,536. Limits how far it reads ahead.
     * @defaultValue 256
     */
    batchSize?: number | undefined;
}

/** Options of the kind `'test'`. */
export declare interface TestConfig extends IEmbedderConfig {
    /**
     * Length of a vector: from 1 to 65,536.
     * @defaultValue `768`
     */
    dimension?: number | undefined;
}

/**
 * The `k` vectors with the highest cosine similarity to `query`, best first, ties in order of index; all if there are
 * fewer. The search is exact: it compares every vector in place, without copies. Vectors with NaN or infinite numbers are
 * skipped.
 *
 * `vectors` is the array that `embedBatch` returns, or one `Float32Array` of consecutive vectors, each as long as `query`,
 * which is faster for large sets. Other threads must not write to them meanwhile.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if lengths differ, `query` is empty or not finite, or `k` is below 1.
 */
export declare function topK(query: Float32Array, vectors: Float32Array | readonly Float32Array[], k: number): VectorMatch[];

/**
 * Cuts vectors to their first `dimensions` numbers and scales them to length 1. For models trained so that these carry the
 * most information (Kusupati et al., Matryoshka Representation Learning, 2022). Zero vectors stay zero. Cut vectors are a
 * vector space of their own.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if the model was not trained for that length (unless `force` is true), if lengths
 * differ, or if a number is not finite.
 */
export declare function truncateDimensions(vectors: readonly Float32Array[], dimensions: number, options?: TruncateOptions): Float32Array[];

/** Options of {@link truncateDimensions}. */
export declare interface TruncateOptions {
    /** The `info` of the embedder that made the vectors, which contains the lengths that the model was trained for. */
    model?: Pick<ModelInfo, 'matryoshkaDimensions'> | undefined;
    /**
     * Whether to cut vectors of a model that is not known to be trained for it. The loss is then unknown.
     * @defaultValue `false`
     */
    force?: boolean | undefined;
}

/** A vector that {@link topK} found. */
export declare interface VectorMatch {
    /** Its position among the vectors, from 0. */
    readonly index: number;
    /** Its cosine similarity to the query, from -1 to 1. */
    readonly score: number;
}

/** Everything known to determine the vectors of an embedder: what index stamps store and compare. */
export declare interface VectorSpace {
    readonly kind: EmbedderKind;
    /** The model's id or name. */
    readonly model: string;
    /** The commit of a model from the hub; `null` if unknown. */
    readonly revision: string | null;
    /** Length of a vector. */
    readonly dimension: number;
    /** Maximum number of tokens of a text; `null` if unknown. */
    readonly maxTokens: number | null;
    /** How token embeddings are combined into one vector; `null` if unknown. */
    readonly pooling: string | null;
    /** Whether vectors are scaled to length 1. */
    readonly normalize: boolean;
    /** The number format that the model computes in; `null` if unknown. */
    readonly precision: Precision | null;
    /** Identifies the space exactly; `null` if there is no such identifier. */
    readonly fingerprint: string | null;
}

/** Something failed that the load can do without. */
export declare interface WarningEvent {
    readonly type: 'warning';
    /** What failed, why, and what happens instead. */
    readonly message: string;
}

/**
 * Writes the stamp of `embedder` into an index's folder, which is created if needed. The file is replaced atomically:
 * readers see the old stamp or the new one.
 */
export declare function writeIndexStamp(dir: string, embedder: Stampable): Promise<IndexStamp>;

export { }
