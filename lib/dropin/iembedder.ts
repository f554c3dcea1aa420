/** The interface that host apps program against, its configuration and its events. */

import type { EmbedError, EmbedErrorCode, LoadOptions, Pooling, Precision, Priority } from '../types.js';

/** What a host app holds: something that starts, embeds, can be restarted, and stops. */
export interface IEmbedder {
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

/** What {@link IEmbedder.getStats} answers. */
export interface IEmbedderStats {
  /** Calls of `embed` that were answered since the session started; a host app makes one or more a file. */
  filesSinceSpawn: number;
  /** Whether calls are taken: from an `initialize` that worked to a failure for good or a shutdown. */
  isReady: boolean;
  /** Bytes of the process that holds the model; missing where that is another process, which does not tell. */
  memoryUsage?: { rss: number; heapUsed: number; external: number };
}

/**
 * What makes the vectors: this process, a process that is started for it, an HTTP server, a function of the host's, or a hash
 * for tests.
 */
export type EmbedderKind = 'native' | 'isolated' | 'sidecar' | 'ollama' | 'custom' | 'test';

/** Options of every kind of {@link IEmbedder}. Every one may be left out; an unknown name is refused. */
export interface IEmbedderConfig {
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

/** Options of the kinds `'native'` and `'isolated'`. */
export interface InProcessConfig extends IEmbedderConfig {
  /** Further options of {@link Embedder.load}. */
  load?: Omit<LoadOptions, 'model' | 'normalize' | 'onProgress' | 'signal'>;
}

/** Where a server is, and how it gets ready. */
export interface ServerOptions {
  /** The server's address, without a path. */
  url?: string;
  /**
   * How long the server may take to be ready, in milliseconds.
   * @defaultValue `120000`
   */
  startTimeout?: number;
}

/** Options of the kind `'sidecar'`: the HTTP server that this package replaces. */
export interface SidecarConfig extends IEmbedderConfig {
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

/** Options of the kind `'ollama'`. */
export interface OllamaConfig extends IEmbedderConfig {
  ollama?: ServerOptions & {
    /** The name that Ollama knows the model by, such as `'bge-m3'`; default: `modelName`. */
    model?: string;
  };
}

/** A function that makes vectors: one a text, in the order of the texts. */
export type EmbedFunction = (
  texts: readonly string[],
  options: { signal: AbortSignal },
) => Promise<readonly ArrayLike<number>[]>;

/** Options of the kind `'custom'`. */
export interface CustomConfig extends IEmbedderConfig {
  custom?: {
    /** Makes the vectors. */
    embed: EmbedFunction;
    /** Names the vector space in index stamps: change it whenever the vectors change. */
    fingerprint: string;
    /** Called by `shutdown` and when a session is replaced. */
    close?: () => Promise<void>;
  };
}

/** Options of the kind `'test'`. */
export interface TestConfig extends IEmbedderConfig {
  /**
   * Numbers in a vector: from 1 to 65,536.
   * @defaultValue `768`
   */
  dimension?: number;
}

/** Options of one call, beyond those of {@link IEmbedder}. */
export interface CallOptions {
  /** Cancels the call: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
  signal?: AbortSignal;
  /**
   * Whether the call goes before those that are `'bulk'`.
   * @defaultValue `'interactive'` for one text, else `'bulk'`
   */
  priority?: Priority;
}

/**
 * Steps from `initialize` to an answer, in this order; those that are not needed are left out, and none comes after a
 * later one. A prepared copy that turns out to be damaged is made again while the stage is `'loading'`.
 */
export type StartupStage = 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready' | 'error';

/** What an embedder tells while it starts and when something happens to it. */
export type EmbedderEvent = StageEvent | ErrorEvent | RestartEvent | FallbackEvent;

/** A step of a start. */
export interface StageEvent {
  readonly type: 'stage';
  readonly stage: Exclude<StartupStage, 'error'>;
  readonly kind: EmbedderKind;
  /** The step in words. */
  readonly message: string;
  /** How much of this step is done, from 0 to 1, where it is known. */
  readonly progress?: number;
}

/** A start that failed, or a session that failed for good. */
export interface ErrorEvent {
  readonly type: 'stage';
  readonly stage: 'error';
  readonly kind: EmbedderKind;
  readonly message: string;
  readonly code: EmbedErrorCode;
  readonly error: EmbedError;
}

/** A session is about to be replaced. */
export interface RestartEvent {
  readonly type: 'restart';
  readonly kind: EmbedderKind;
  /** Whether the host asked for it or the session failed. */
  readonly reason: 'requested' | 'failure';
  /** Which of the three attempts this is; 1 if it was asked for. */
  readonly attempt: number;
  /** Why it failed. */
  readonly error?: EmbedError;
}

/** A kind could not start, or is of another vector space than the index, and the next one is tried. */
export interface FallbackEvent {
  readonly type: 'fallback';
  readonly from: EmbedderKind;
  readonly to: EmbedderKind;
  readonly error: EmbedError;
}

/** What decides the vectors of an embedder, as far as it is known: what index stamps say and compare. */
export interface VectorSpace {
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
