// Made from lib/ by "npm run build:types". Change the sources instead.
/// <reference lib="esnext.disposable" />

/**
 * Vectors in a thirty-second of the memory: one bit a number, 1 where it is above zero, to be compared by Hamming distance. Eight
 * dimensions a byte, the first in the highest bit, as `ubinary` of sentence-transformers has them; bits that are left over are 0.
 * The source is Charikar, Similarity Estimation Techniques from Rounding Algorithms (2002), with the dimensions for planes.
 *
 * docs/vectors.md has what is lost on real texts, which is much: find many this way, and sort them anew by their whole vectors.
 *
 * Throws as {@link quantizeInt8} does.
 */
export declare function binarize(vectors: readonly Float32Array[]): Uint8Array[];

/** Options of one call, beyond those of {@link IEmbedder}. */
export declare interface CallOptions {
    /** Cancels the call: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
    signal?: AbortSignal;
    /**
     * Whether the call goes before those that are `'bulk'`.
     * @defaultValue `'interactive'` for one text, else `'bulk'`
     */
    priority?: Priority;
}

/** Whether vectors of `embedder` may go into, and be compared with, the index in `dir`. */
export declare function checkIndexStamp(dir: string, embedder: Stampable, options?: IndexCheckOptions): Promise<IndexCheck>;

/**
 * The cosine of the angle between two vectors of one length, from -1 to 1: 0 if one is all zeros, which has no direction, and NaN
 * if a number is NaN or infinite. Sums are made in 32 bits and made again in 64 where 32 cannot hold them.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for empty vectors and for different lengths.
 */
export declare function cosineSimilarity(a: Float32Array, b: Float32Array): number;

/** A factory for an app as it is shipped: the model in this process, unless `overrides` says otherwise. */
export declare function createProductionFactory(overrides?: FactoryConfig): EmbedderFactory;

/** A factory for an app's own tests: vectors that are hashes of the texts, without a model and without native code. */
export declare function createTestFactory(overrides?: FactoryConfig): EmbedderFactory;

/** Options of the kind `'custom'`. */
export declare interface CustomConfig extends IEmbedderConfig {
    custom?: {
        /** Makes the vectors. */
        embed: EmbedFunction;
        /** Names the vector space in index stamps: change it whenever the vectors change. */
        fingerprint: string;
        /** Called by `shutdown` and when a session is replaced. */
        close?: () => Promise<void>;
    };
}

/** An {@link IEmbedder} over a function. */
export declare class CustomEmbedder extends ManagedEmbedder {
    constructor(config: CustomConfig);
}

/** What {@link Embedder.embedDetailed} answers: one entry a text in each list, in the order of the texts. */
export declare interface DetailedEmbeddings {
    /** One vector a text: views over one buffer. */
    vectors: Float32Array[];
    /** Tokens of each text before truncation, special tokens included. */
    tokenCounts: Uint32Array;
    /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
    truncated: boolean[];
}

/**
 * The dot product of two vectors of one length: of vectors of length 1 their cosine. NaN if a number is NaN.
 *
 * Throws as {@link cosineSimilarity} does.
 */
export declare function dot(a: Float32Array, b: Float32Array): number;

/** Bytes came in: told when a file is begun and complete, and in between at most 20 times a second. */
export declare interface DownloadProgressEvent {
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

/** The files of a hub model are not all in the cache: they are fetched now. */
export declare interface DownloadStartedEvent {
    readonly type: 'download_started';
    /** The model's id on the hub. */
    readonly model: string;
    /** How many files are fetched. */
    readonly files: number;
    /** Bytes in all of them. */
    readonly total: number;
}

/**
 * Embeds a list of texts with the default model, which the first call loads: see {@link embedOne} of this module and
 * {@link Embedder.embedBatch}.
 */
export declare function embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;

/**
 * A loaded model that turns texts into vectors, off the JavaScript thread.
 *
 * Any number of calls may be under way at once; each keeps its own order. A text's vector does not depend on the texts
 * it comes with. A rejected call returns nothing half-done and leaves the embedder usable.
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
    /** The model that was loaded and everything that decides its vectors. Frozen. */
    readonly info: ModelInfo;
    /** The same as {@link Embedder.close}, for `await using`. Only there where the runtime has `Symbol.asyncDispose`. */
    readonly [Symbol.asyncDispose]: () => Promise<void>;
    private constructor();
    /**
     * Loads a model, ready to embed. Once it is loaded, nothing is sent anywhere.
     *
     * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_MODEL_NOT_FOUND`, `_MODEL_INVALID`, `_DOWNLOAD`, `_OFFLINE`,
     * `_RUNTIME_NOT_FOUND`, `_ABORTED`, `_INFERENCE` for want of memory, or `_INTERNAL` for want of threads.
     */
    static load(options?: LoadOptions): Promise<Embedder>;
    /**
     * Embeds one text. Goes before bulk calls unless `priority` says otherwise.
     *
     * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_TOO_LONG`, `_TIMEOUT`, `_ABORTED`, `_CLOSED`, `_INFERENCE` or `_INTERNAL`.
     */
    embedOne(text: string, options?: EmbedOptions): Promise<Float32Array>;
    /**
     * Embeds a list of texts: one vector a text, in the order of the texts. The vectors are views over one buffer, so
     * keeping one of them keeps all of them; `slice()` makes a copy that stands alone. No texts give no vectors.
     *
     * Rejects as {@link Embedder.embedOne} does.
     */
    embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
    /**
     * Embeds a list of texts as {@link Embedder.embedBatch} does and says how many tokens each has and whether it was
     * truncated.
     */
    embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
    /**
     * Embeds texts as they come and yields their vectors in order. At most `batchSize` texts are taken from the source before
     * their vectors are asked for, so that memory does not grow with their number. Ending the loop early closes the source.
     * `timeoutMs` is for each batch; `signal` is seen when a batch is embedded, not while the source is waited for.
     *
     * Rejects as {@link Embedder.embedBatch} does, which closes the source, and with the source's own error; texts of a batch
     * that is not full by then are not embedded. The embedder stays usable.
     */
    embedStream(source: AsyncIterable<string> | Iterable<string>, options?: StreamOptions): AsyncGenerator<StreamedVector, void, undefined>;
    /**
     * Counts the tokens of each text as the model would read it: before truncation, special tokens included.
     *
     * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_CLOSED`, `_INFERENCE` or `_INTERNAL`.
     */
    countTokens(texts: readonly string[]): Promise<Uint32Array>;
    /** What this embedder has done so far. Also answers after {@link Embedder.close}. */
    stats(): EmbedderStats;
    /**
     * Rejects calls that are not answered yet with `ERR_EMBED_CLOSED` and resolves when all threads have ended and the
     * model is freed. Later calls reject with `ERR_EMBED_CLOSED`. Closing again does nothing more.
     */
    close(): Promise<void>;
}

/** What an embedder tells while it starts and when something happens to it. */
export declare type EmbedderEvent = StageEvent | ErrorEvent | RestartEvent | FallbackEvent;

/** Makes embedders after one configuration. */
export declare class EmbedderFactory {
    /** The configuration. Frozen. */
    readonly config: FactoryConfig;
    constructor(config?: FactoryConfig);
    /** What is wrong with the configuration, in words. Looks at nothing but the configuration itself. */
    validateConfig(): {
        valid: boolean;
        errors: string[];
    };
    /** An embedder, not initialized yet. Throws `ERR_EMBED_INVALID_ARGUMENT` when the configuration is wrong. */
    create(): ManagedEmbedder | FallbackEmbedder;
}

/**
 * What makes the vectors: this process, a process that is started for it, an HTTP server, a function of the host's, or a hash
 * for tests.
 */
export declare type EmbedderKind = 'native' | 'isolated' | 'sidecar' | 'ollama' | 'custom' | 'test';

/** What an embedder has done since it was loaded and what it costs. */
export declare interface EmbedderStats {
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
    memory: {
        residentBytes: number | null;
    };
}

/** What every rejected promise of this package carries: an `Error` with a stable code. */
export declare interface EmbedError extends Error {
    /** What went wrong, as a program can act on it. */
    readonly code: EmbedErrorCode;
    /** The error that led to this one, where there is one. */
    readonly cause?: unknown;
}

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
export declare type EmbedErrorCode = 'ERR_EMBED_INVALID_ARGUMENT' | 'ERR_EMBED_MODEL_NOT_FOUND' | 'ERR_EMBED_MODEL_INVALID' | 'ERR_EMBED_DOWNLOAD' | 'ERR_EMBED_OFFLINE' | 'ERR_EMBED_RUNTIME_NOT_FOUND' | 'ERR_EMBED_INFERENCE' | 'ERR_EMBED_TOO_LONG' | 'ERR_EMBED_TIMEOUT' | 'ERR_EMBED_ABORTED' | 'ERR_EMBED_CLOSED' | 'ERR_EMBED_INTERNAL';

/** A function that makes vectors: one a text, in the order of the texts. */
export declare type EmbedFunction = (texts: readonly string[], options: {
    signal: AbortSignal;
}) => Promise<readonly ArrayLike<number>[]>;

/**
 * Embeds one text with the default model, which the first call loads: see {@link LoadOptions.model}.
 *
 * The options are those of {@link Embedder.embedOne}. `timeoutMs` does not count the time that loading takes; `signal`
 * ends this call's wait for it, while the load goes on for others.
 *
 * Rejects as {@link Embedder.load} and {@link Embedder.embedOne} do.
 */
export declare function embedOne(text: string, options?: EmbedOptions): Promise<Float32Array>;

/** Options of one embedding call. Every one may be left out; an unknown name is refused. */
export declare interface EmbedOptions {
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

/** A start that failed, or a session that failed for good. */
export declare interface ErrorEvent {
    readonly type: 'stage';
    readonly stage: 'error';
    readonly kind: EmbedderKind;
    readonly message: string;
    readonly code: EmbedErrorCode;
    readonly error: EmbedError;
}

/**
 * The configuration of an {@link EmbedderFactory}. It may hold options of kinds that it does not name, for the day when `kind`
 * is another word: they are checked all the same.
 */
export declare interface FactoryConfig extends InProcessConfig, SidecarConfig, OllamaConfig, CustomConfig, TestConfig {
    /**
     * What makes the vectors.
     * @defaultValue `'native'`
     */
    kind?: EmbedderKind;
    /**
     * Kinds to try, in this order, when the one before cannot start.
     * @defaultValue none
     */
    fallback?: readonly EmbedderKind[];
    /**
     * The folder of the index that the vectors are for: a fallback whose vectors do not go with its stamp is not taken.
     * @defaultValue none: the host checks the stamp itself
     */
    indexDir?: string;
}

/**
 * An {@link IEmbedder} that is the first of several that can start. It says when it takes another than the first, and never
 * changes after that, so that one index gets the vectors of one kind; {@link checkIndexStamp} tells whether an index that
 * is there already takes them.
 */
export declare class FallbackEmbedder implements IEmbedder {
    #private;
    /** The kind that was started; the first one before that. */
    get kind(): EmbedderKind;
    /** See {@link ManagedEmbedder.lastError}; where no kind starts, the reason of the last one. */
    get lastError(): EmbedError | undefined;
    /** See {@link ManagedEmbedder.space}. */
    get space(): VectorSpace | undefined;
    /** Starts the first kind that can be started. See {@link ManagedEmbedder.initialize}. */
    initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean>;
    embed(texts: readonly string[], options?: CallOptions): Promise<number[][]>;
    /** The vectors of texts as `embed` gives them, without the copies into plain lists. */
    embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]>;
    embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]>;
    shouldRestart(): Promise<boolean>;
    /** A fresh session of the same kind. Before one has started, it starts as `initialize` does. */
    restart(): Promise<void>;
    shutdown(): Promise<void>;
    getStats(): IEmbedderStats;
}

/** A kind could not start, or is of another vector space than the index, and the next one is tried. */
export declare interface FallbackEvent {
    readonly type: 'fallback';
    readonly from: EmbedderKind;
    readonly to: EmbedderKind;
    readonly error: EmbedError;
}

/** What a host app holds: something that starts, embeds, can be restarted, and stops. */
export declare interface IEmbedder {
    /** Gets ready. Answers whether that worked and never rejects. */
    initialize(): Promise<boolean>;
    /** One vector a text, in the order of the texts. No texts give no vectors. */
    embed(texts: readonly string[]): Promise<number[][]>;
    /** The same, trying again up to `maxRetries` times what can pass: never what is wrong with the arguments. */
    embedWithRetry(texts: readonly string[], maxRetries?: number): Promise<number[][]>;
    /** Whether a limit of the configuration is reached that a restart resets. */
    shouldRestart(): Promise<boolean>;
    /** Puts a fresh session in place. Calls under way are answered. */
    restart(): Promise<void>;
    /** Answers the calls under way, then frees everything. */
    shutdown(): Promise<void>;
    /** How it is doing. */
    getStats(): IEmbedderStats;
}

/** Options of every kind of {@link IEmbedder}. Every one may be left out; an unknown name is refused. */
export declare interface IEmbedderConfig {
    /**
     * The model: a folder, an id of the hub, or the name of a model of sentence-transformers. For `'ollama'` the name that
     * Ollama knows it by, which has no default.
     * @defaultValue `'sentence-transformers/paraphrase-multilingual-mpnet-base-v2'`
     */
    modelName?: string;
    /**
     * Texts that are handed over at once: from 1 to 4096. Twice as many where all of them are short, of up to 200
     * characters.
     * @defaultValue `32`
     */
    batchSize?: number;
    /**
     * Whether vectors are scaled to length 1.
     * @defaultValue `true`
     */
    normalizeVectors?: boolean;
    /**
     * How long one batch may take, in milliseconds: from 1 to 2,147,483,647. Waiting for earlier batches does not count. Of the
     * kinds that speak HTTP it is 300,000 at most, which is Node's own limit.
     * @defaultValue `30000`
     */
    timeout?: number;
    /**
     * How often `embedWithRetry` tries again, and `embed` of the kinds that speak HTTP: from 0 to 100.
     * @defaultValue `2`
     */
    retries?: number;
    /**
     * The pause before each further try, in milliseconds: from 0 to 60,000.
     * @defaultValue `1000`
     */
    retryDelay?: number;
    /**
     * Whether `initialize` loads the model. With `false` the first call of `embed` does.
     * @defaultValue `true`
     */
    autoStart?: boolean;
    /**
     * Whether a session that has failed is replaced and the call made again, up to three times without a success between. With
     * `false` the call rejects; of the kinds `'native'` and `'isolated'` so do all after it, until `initialize` or `restart`.
     * @defaultValue `true`
     */
    autoRestart?: boolean;
    /**
     * Answered calls of `embed` after which `shouldRestart` answers true: 1 or more.
     * @defaultValue `5000`
     */
    maxFilesBeforeRestart?: number;
    /**
     * Resident memory of the process, in MB, above which `shouldRestart` answers true: 1 or more. Where a restart did not bring
     * it below, it answers true again only when memory has grown by another quarter. No effect where the model is in another process.
     * @defaultValue `1500`
     */
    maxMemoryMB?: number;
    /**
     * How long `shutdown` and `restart` wait for calls under way, in milliseconds: from 0 to 2,147,483,647. After that they
     * reject with `ERR_EMBED_CLOSED` at a shutdown, and go over to the fresh session at a restart.
     * @defaultValue `10000`
     */
    drainTimeout?: number;
    /** Called with each event. An exception that it throws is reported as uncaught and disturbs nothing. */
    onEvent?: (event: EmbedderEvent) => void;
}

/** What {@link IEmbedder.getStats} answers. */
export declare interface IEmbedderStats {
    /** Calls of `embed` that were answered since the session started; a host app makes one or more a file. */
    filesSinceSpawn: number;
    /** Whether calls are taken: from an `initialize` that worked to a failure for good or a shutdown. */
    isReady: boolean;
    /** Bytes of the process that holds the model; missing where that is another process, which does not tell. */
    memoryUsage?: {
        rss: number;
        heapUsed: number;
        external: number;
    };
}

/** What {@link checkIndexStamp} answers. */
export declare interface IndexCheck {
    readonly verdict: IndexVerdict;
    /** The verdict's reason, for people. */
    readonly reason: string;
    /** The stamp that was found, or that `.db-version` stands for. */
    readonly stamp?: IndexStamp;
    /** The integer in `.db-version`; `null` without one. */
    readonly dbVersion: number | null;
}

/** Options of {@link checkIndexStamp}. */
export declare interface IndexCheckOptions {
    /**
     * What an index without a stamp was made with, by the integer in `.db-version`. What is left out counts as not known,
     * except `normalize`, which then is true, and `precision` of a sidecar, which then is fp32.
     */
    legacy?: Readonly<Record<number, LegacySpace>>;
}

/** What an index was made with. */
export declare interface IndexStamp extends VectorSpace {
    /** The integer in `.db-version` when the stamp was written; `null` without one. */
    readonly dbVersion: number | null;
    /** When the stamp was written: ISO 8601. */
    readonly writtenAt: string;
}

/**
 * How the vectors of an embedder and those of an index go together.
 *
 * | verdict | meaning | what to do |
 * |---|---|---|
 * | `match` | the same vector space | go on |
 * | `compatible` | the same model in the same precision, made by another program or without a name for its weights | go on, and write the stamp |
 * | `missing` | nothing tells what the index was made with | write the stamp if the index is empty, else re-index |
 * | `reindex` | another vector space | re-index |
 */
export declare type IndexVerdict = 'match' | 'missing' | 'compatible' | 'reindex';

/** Options of the kinds `'native'` and `'isolated'`. */
export declare interface InProcessConfig extends IEmbedderConfig {
    /** Further options of {@link Embedder.load}. */
    load?: Omit<LoadOptions, 'model' | 'normalize' | 'onProgress' | 'signal'>;
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
    /** The loaded model, for what {@link IEmbedder} does not have, such as counting tokens. A restart replaces it. */
    get embedder(): Embedder | undefined;
}

/** What {@link quantizeInt8} answers. */
export declare interface Int8Vectors {
    /** From -127 to 127: views over one buffer. */
    readonly vectors: Int8Array[];
    /** One a vector: times it, a value is what it was, to rounding. */
    readonly scales: Float32Array;
}

/**
 * An {@link IEmbedder} over an {@link Embedder} in a process of its own: a utility process in the main process of Electron,
 * elsewhere a child process of Node. The vectors, and what `space` says of them, are those of {@link InProcessEmbedder}.
 *
 * When the process crashes, another one is started, up to three times without a success between, and what was under way is made
 * again: once, one batch at a time. A batch that breaks that process too is given up with `ERR_EMBED_INFERENCE`, whose `cause` has
 * `exitCode`, `signal` and `stderr`. The process ends with `shutdown`, and when this process ends, however that happens.
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
    /** The id of the process that has the model; nothing before a session has started. A restart replaces it. */
    get pid(): number | undefined;
}

/** How one lane is doing. Speeds are those of the last minute. */
export declare interface LaneStats {
    /** Texts that wait. */
    queueDepth: number;
    /** How long calls took, from call to answer, in milliseconds: percentiles; 0 when there was none. */
    latencyMs: {
        p50: number;
        p95: number;
        p99: number;
    };
    /** Texts embedded a second. */
    textsPerSecond: number;
}

/** What an integer in `.db-version` stands for. */
export declare type LegacySpace = Partial<VectorSpace> & Pick<VectorSpace, 'kind' | 'model'>;

/**
 * One step of {@link Embedder.load}, as `onProgress` is told, in this order: `download_started`, `download_progress` many
 * times, `model_cached`, `preparing`, `loading`, `model_loaded`. What is not needed is left out. A prepared copy that turns out to be
 * damaged is prepared again after `loading`; one that cannot be made is told by `warning`, and the model is loaded as it is. More kinds
 * may be added: ignore those you do not know.
 */
export declare type LoadEvent = DownloadStartedEvent | DownloadProgressEvent | ModelCachedEvent | PreparingEvent | LoadingEvent | WarningEvent | ModelLoadedEvent;

/** The model, or the copy of it that was prepared, is opened. */
export declare interface LoadingEvent {
    readonly type: 'loading';
    /** The model as {@link LoadOptions.model} named it. */
    readonly model: string;
}

/** Options of {@link Embedder.load}. Every one may be left out; an unknown name is refused. */
export declare interface LoadOptions {
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

/**
 * An {@link IEmbedder} with the habits that host apps rely on. What makes the vectors is a session, which subclasses
 * start; it is replaced by {@link ManagedEmbedder.restart}, and when it has failed.
 */
export declare abstract class ManagedEmbedder implements IEmbedder {
    #private;
    /** What makes the vectors. */
    readonly kind: EmbedderKind;
    /** What went wrong last at a start or with a session; nothing after a start that worked. */
    get lastError(): EmbedError | undefined;
    /** What decides the vectors, for index stamps; nothing before a session has started. */
    get space(): VectorSpace | undefined;
    /**
     * Starts the session. Answers false when that fails, and keeps the reason as `lastError`. Calling it again while it
     * runs, or when all is well, changes nothing; after a failure or a shutdown it starts afresh.
     *
     * @param options - `signal` cancels the start, which then answers false to all who wait for it.
     */
    initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean>;
    /** One vector a text, in the order of the texts, as plain arrays. */
    embed(texts: readonly string[], options?: CallOptions): Promise<number[][]>;
    /** The same, trying each batch again up to `maxRetries` times, by default `retries` of the configuration. */
    embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]>;
    /** The same as {@link ManagedEmbedder.embed} without the copies that plain arrays take. */
    embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]>;
    /** Whether `maxFilesBeforeRestart` or `maxMemoryMB` is reached. False without a session. */
    shouldRestart(): Promise<boolean>;
    /**
     * Puts a fresh session in place of the old one, which answers its calls first. Without one it starts as `initialize`
     * does. Rejects when the start fails; the old session then stays, unless the two cannot be there at once.
     */
    restart(): Promise<void>;
    /**
     * Takes no more calls, waits for those under way up to `drainTimeout`, and frees everything. A start that is under way is
     * cancelled. Never rejects.
     */
    shutdown(): Promise<void>;
    getStats(): IEmbedderStats;
}

/** Every file of a hub model is in the cache, fetched now or before. */
export declare interface ModelCachedEvent {
    readonly type: 'model_cached';
    /** The model's id on the hub. */
    readonly model: string;
}

/** What a loaded embedder is: everything that decides its vectors. */
export declare interface ModelInfo {
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

/** The model is ready. */
export declare interface ModelLoadedEvent {
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

/** Options of the kind `'ollama'`. */
export declare interface OllamaConfig extends IEmbedderConfig {
    ollama?: ServerOptions & {
        /** The name that Ollama knows the model by, such as `'bge-m3'`; default: `modelName`. */
        model?: string;
    };
}

/** An {@link IEmbedder} over Ollama. */
export declare class OllamaEmbedder extends ManagedEmbedder {
    constructor(config?: OllamaConfig);
}

/**
 * How the token embeddings of a text become one vector: their mean, the first token's (`cls`), or the largest value of
 * each dimension.
 */
export declare type Pooling = 'mean' | 'cls' | 'max';

/** The numbers in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/** A copy of the model that loads faster is made, once. */
export declare interface PreparingEvent {
    readonly type: 'preparing';
    /** The model as {@link LoadOptions.model} named it. */
    readonly model: string;
}

/**
 * Which of two lanes a call waits in: `interactive` goes before `bulk`, which it can slow down but never starve.
 */
export declare type Priority = 'interactive' | 'bulk';

/**
 * Vectors in a quarter of the memory: `round(x / scale)`, where a vector's `scale` is its largest `|x|` divided by 127. That is
 * the symmetric case of the scheme in Jacob et al., Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference (2018), a scale a vector. `value * scale` is off from `x` by `scale / 2` at most. The cosine
 * of two vectors does not depend on their scales: a database that compares by cosine needs `vectors` alone.
 *
 * docs/vectors.md has what is lost on real texts. Vectors of zeros stay zeros, with a scale of 0.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for vectors of different lengths and for numbers that are not finite.
 */
export declare function quantizeInt8(vectors: readonly Float32Array[]): Int8Vectors;

/** The stamp in an index's folder; nothing where there is none, or where the file is something else. */
export declare function readIndexStamp(dir: string): Promise<IndexStamp | undefined>;

/** A session is about to be replaced. */
export declare interface RestartEvent {
    readonly type: 'restart';
    readonly kind: EmbedderKind;
    /** Whether the host asked for it or the session failed. */
    readonly reason: 'requested' | 'failure';
    /** Which of the three attempts this is; 1 if it was asked for. */
    readonly attempt: number;
    /** Why it failed. */
    readonly error?: EmbedError;
}

/** Where a server is, and how it gets ready. */
export declare interface ServerOptions {
    /** The server's address, without a path. */
    url?: string;
    /**
     * How long the server may take to be ready, in milliseconds.
     * @defaultValue `120000`
     */
    startTimeout?: number;
}

/** Options of the kind `'sidecar'`: the HTTP server that this package replaces. */
export declare interface SidecarConfig extends IEmbedderConfig {
    sidecar?: ServerOptions & {
        /** The name that the sidecar knows the model by; default: `modelName`, of which a folder's last name counts. */
        model?: string;
        /**
         * How token embeddings become one vector.
         * @defaultValue `'mean'`
         */
        pooling?: Pooling;
        /**
         * The program that is the server, if this process is to start it: started unless one answers already, stopped by
         * `shutdown` and when this process exits. A signal that ends this process, such as SIGTERM without a listener, leaves
         * it running: the next start then finds that it answers, and takes it, but nobody stops it any more.
         */
        command?: {
            file: string;
            args?: readonly string[];
            cwd?: string;
            env?: Readonly<Record<string, string | undefined>>;
        };
    };
}

/** An {@link IEmbedder} over the sidecar: one request at a time, as its own client did. */
export declare class SidecarEmbedder extends ManagedEmbedder {
    constructor(config?: SidecarConfig);
}

/** A step of a start. */
export declare interface StageEvent {
    readonly type: 'stage';
    readonly stage: Exclude<StartupStage, 'error'>;
    readonly kind: EmbedderKind;
    /** The step in words. */
    readonly message: string;
    /** How much of this step is done, from 0 to 1, where it is known. */
    readonly progress?: number;
}

/** What an embedder has to be for a stamp: an {@link Embedder}, or an {@link IEmbedder} of this package that has started. */
export declare type Stampable = Embedder | {
    readonly space: VectorSpace | undefined;
};

/**
 * Steps from `initialize` to an answer, in this order; those that are not needed are left out, and none comes after a
 * later one. A prepared copy that turns out to be damaged is made again while the stage is `'loading'`.
 */
export declare type StartupStage = 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready' | 'error';

/** What {@link Embedder.embedStream} yields. */
export declare interface StreamedVector {
    /** The text's place in the source, from 0. */
    index: number;
    /** A view over the buffer of its batch; `slice()` makes a copy that stands alone. */
    vector: Float32Array;
}

/** Options of {@link Embedder.embedStream}: those of each batch, and its size. */
export declare interface StreamOptions extends Omit<EmbedOptions, 'onProgress'> {
    /**
     * Texts that are taken from the source and embedded together: from 1 to 65,536. It bounds how far the source is read ahead.
     * @defaultValue 256
     */
    batchSize?: number;
}

/** Options of the kind `'test'`. */
export declare interface TestConfig extends IEmbedderConfig {
    /**
     * Numbers in a vector: from 1 to 65,536.
     * @defaultValue `768`
     */
    dimension?: number;
}

/**
 * The `k` vectors with the highest cosine to `query`, best first, of equal ones the first; all of them if there are fewer. Every
 * vector is looked at, where it lies: nothing is copied, approximated or kept. Vectors with NaN or an infinite number are left out.
 *
 * `vectors` is the list that `embedBatch` gives, or one `Float32Array` with a vector after the other, each as long as `query`:
 * a large one is faster that way. Nobody may write to them meanwhile, which only other threads could.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for vectors of another length, a `query` that is empty or not finite, and a `k` below 1.
 */
export declare function topK(query: Float32Array, vectors: Float32Array | readonly Float32Array[], k: number): VectorMatch[];

/**
 * The first `dimensions` numbers of each vector, scaled to length 1: for models that were trained so that these say most (Kusupati
 * et al., Matryoshka Representation Learning, 2022). Vectors of zeros stay zeros. What is cut is another vector space than what is not.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if the model was not trained for that length, unless `force` is true; for vectors of
 * different lengths, and for numbers that are not finite.
 */
export declare function truncateDimensions(vectors: readonly Float32Array[], dimensions: number, options?: TruncateOptions): Float32Array[];

/** Options of {@link truncateDimensions}. */
export declare interface TruncateOptions {
    /** The `info` of the embedder that made the vectors: it says which lengths the model was trained for. */
    model?: Pick<ModelInfo, 'matryoshkaDimensions'>;
    /**
     * Whether to cut vectors of a model that is not known to be trained for that: what is lost then was measured by nobody.
     * @defaultValue `false`
     */
    force?: boolean;
}

/** A vector that {@link topK} found. */
export declare interface VectorMatch {
    /** Its place among the vectors, from 0. */
    readonly index: number;
    /** The cosine of its angle to the query, from -1 to 1. */
    readonly score: number;
}

/** What decides the vectors of an embedder, as far as it is known: what index stamps say and compare. */
export declare interface VectorSpace {
    readonly kind: EmbedderKind;
    /** The model's id or name. */
    readonly model: string;
    /** The commit of a model from the hub; `null` where it is not known. */
    readonly revision: string | null;
    /** Numbers in a vector. */
    readonly dimension: number;
    /** Tokens that are read of a text; `null` where it is not known. */
    readonly maxTokens: number | null;
    /** How token embeddings become one vector; `null` where it is not known. */
    readonly pooling: string | null;
    /** Whether vectors have length 1. */
    readonly normalize: boolean;
    /** The numbers that the model computes in; `null` where it is not known. */
    readonly precision: Precision | null;
    /** Names the space exactly; `null` where nothing does. */
    readonly fingerprint: string | null;
}

/** Something did not work that the load can do without. */
export declare interface WarningEvent {
    readonly type: 'warning';
    /** What, why, and what is done instead. */
    readonly message: string;
}

/**
 * Writes the stamp of what `embedder` makes into an index's folder, which is made if it is not there. Whoever reads
 * meanwhile sees the old stamp or the new one.
 */
export declare function writeIndexStamp(dir: string, embedder: Stampable): Promise<IndexStamp>;

export { }
