// Made from lib/ by "npm run build:types". Change the sources instead.
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

/** Options of {@link describeIEmbedder}. */
export declare interface ContractOptions {
    /**
     * What the suite is called.
     * @defaultValue `'IEmbedder'`
     */
    name?: string;
    /**
     * Whether the embedder is set to give vectors of length 1.
     * @defaultValue `true`
     */
    normalized?: boolean;
    /**
     * How far two vectors of one text may be apart in any number.
     * @defaultValue `1e-5`
     */
    tolerance?: number;
}

/**
 * Describes what every {@link IEmbedder} must do, with the `describe`, `it` and `expect` that are global in jest, and in
 * vitest with `globals: true`.
 *
 * @param factory - Makes an embedder that has not been initialized; called for each test.
 */
export declare function describeIEmbedder(factory: () => IEmbedder | Promise<IEmbedder>, options?: ContractOptions): void;

/** What an embedder tells while it starts and when something happens to it. */
export declare type EmbedderEvent = StageEvent | ErrorEvent | RestartEvent | FallbackEvent;

/**
 * What makes the vectors: this process, a process that is started for it, an HTTP server, a function of the host's, or a hash
 * for tests.
 */
export declare type EmbedderKind = 'native' | 'isolated' | 'sidecar' | 'ollama' | 'custom' | 'test';

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

/** A start that failed, or a session that failed for good. */
export declare interface ErrorEvent {
    readonly type: 'stage';
    readonly stage: 'error';
    readonly kind: EmbedderKind;
    readonly message: string;
    readonly code: EmbedErrorCode;
    readonly error: EmbedError;
}

/** A kind could not start, or is of another vector space than the index, and the next one is tried. */
export declare interface FallbackEvent {
    readonly type: 'fallback';
    readonly from: EmbedderKind;
    readonly to: EmbedderKind;
    readonly error: EmbedError;
}

/** Vectors that are hashes of texts: the same everywhere and for ever, and near each other when texts share words. */
/**
 * A vector of length 1 that only depends on the text. Texts with many words in common are near each other, so that a
 * search in a test finds what a person would expect.
 */
export declare function hashVector(text: string, dimension: number): Float32Array;

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

/** The numbers in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/**
 * Which of two lanes a call waits in: `interactive` goes before `bulk`, which it can slow down but never starve.
 */
export declare type Priority = 'interactive' | 'bulk';

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

/**
 * Steps from `initialize` to an answer, in this order; those that are not needed are left out, and none comes after a
 * later one. A prepared copy that turns out to be damaged is made again while the stage is `'loading'`.
 */
export declare type StartupStage = 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready' | 'error';

/** Options of the kind `'test'`. */
export declare interface TestConfig extends IEmbedderConfig {
    /**
     * Numbers in a vector: from 1 to 65,536.
     * @defaultValue `768`
     */
    dimension?: number;
}

/** An {@link IEmbedder} without a model and without native code; see {@link hashVector}. */
export declare class TestEmbedder extends ManagedEmbedder {
    constructor(config?: TestConfig);
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

export { }
