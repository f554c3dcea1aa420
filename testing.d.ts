// Made from lib/ by "npm run build:types". Change the sources instead.
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

/** Options of {@link describeIEmbedder}. */
export declare interface ContractOptions {
    /**
     * The name of the suite.
     * @defaultValue `'IEmbedder'`
     */
    name?: string;
    /**
     * Whether the embedder returns vectors of length 1.
     * @defaultValue `true`
     */
    normalized?: boolean;
    /**
     * The largest allowed difference in any number between two vectors of the same text.
     * @defaultValue `1e-5`
     */
    tolerance?: number;
}

/**
 * Defines a test suite for the contract of {@link IEmbedder}, using the global `describe`, `it` and `expect` of jest, or of
 * vitest with `globals: true`.
 *
 * @param factory - Creates an embedder that is not initialized; called for each test.
 */
export declare function describeIEmbedder(factory: () => IEmbedder | Promise<IEmbedder>, options?: ContractOptions): void;

/** An event of an embedder, passed to `onEvent`. */
export declare type EmbedderEvent = StageEvent | ErrorEvent | RestartEvent | FallbackEvent;

/**
 * What computes the vectors: this process, a separate process, an HTTP server (two kinds), your own function, or a hash for
 * tests.
 */
export declare type EmbedderKind = 'native' | 'isolated' | 'sidecar' | 'ollama' | 'custom' | 'test';

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

/** A start failed, or a session failed permanently. */
export declare interface ErrorEvent {
    readonly type: 'stage';
    readonly stage: 'error';
    readonly kind: EmbedderKind;
    readonly message: string;
    readonly code: EmbedErrorCode;
    readonly error: EmbedError;
}

/** A kind could not start, or its vectors do not match the index; the next kind is tried. */
export declare interface FallbackEvent {
    readonly type: 'fallback';
    readonly from: EmbedderKind;
    readonly to: EmbedderKind;
    readonly error: EmbedError;
}

/**
 * Computes a vector of length 1 that depends only on the text. Texts with many words in common are near each other, so
 * searches in tests find what one would expect.
 */
export declare function hashVector(text: string, dimension: number): Float32Array;

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

/** The number format in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/** The lane that a call waits in. `interactive` calls go before `bulk` calls, which they can slow down but never starve. */
export declare type Priority = 'interactive' | 'bulk';

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

/**
 * The stages of a start, in this order. Unnecessary ones are left out, and a start never goes back to an earlier one. A
 * damaged prepared copy is made again during `'loading'`.
 */
export declare type StartupStage = 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready' | 'error';

/** Options of the kind `'test'`. */
export declare interface TestConfig extends IEmbedderConfig {
    /**
     * Length of a vector: from 1 to 65,536.
     * @defaultValue `768`
     */
    dimension?: number | undefined;
}

/** An {@link IEmbedder} without a model and without native code; see {@link hashVector}. */
export declare class TestEmbedder extends ManagedEmbedder {
    constructor(config?: TestConfig);
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

export { }
