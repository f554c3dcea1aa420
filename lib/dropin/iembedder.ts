/** The interface that host apps program against, with its configuration and its events. */

import type { EmbedError, EmbedErrorCode, LoadOptions, Pooling, Precision, Priority } from '../types.js';

/** The interface of an embedder that an app can start, restart and shut down. */
export interface IEmbedder {
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

/** The result of {@link IEmbedder.getStats}. */
export interface IEmbedderStats {
  /** Successful calls of `embed` since the session started; an app typically makes one or more per file. */
  filesSinceSpawn: number;
  /** Whether calls are accepted: from a successful `initialize` until a permanent failure or a shutdown. */
  isReady: boolean;
  /** Memory of the process that holds the model, in bytes; missing if that is not this process. */
  memoryUsage?: { rss: number; heapUsed: number; external: number };
}

/**
 * What computes the vectors: this process, a separate process, an HTTP server (two kinds), your own function, or a hash for
 * tests.
 */
export type EmbedderKind = 'native' | 'isolated' | 'sidecar' | 'ollama' | 'custom' | 'test';

/**
 * Options of every kind of {@link IEmbedder}. All are optional; unknown names are rejected. They are read when the embedder
 * is created: changing them later has no effect, except inside `custom`.
 */
export interface IEmbedderConfig {
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

/** Options of the kinds `'native'` and `'isolated'`. */
export interface InProcessConfig extends IEmbedderConfig {
  /** Other options of {@link Embedder.load}. */
  load?: Omit<LoadOptions, 'model' | 'normalize' | 'onProgress' | 'signal'> | undefined;
}

/** The address of a server, and how long it may take to start. */
export interface ServerOptions {
  /** The server's address, without user name, password, query or fragment. */
  url?: string | undefined;
  /**
   * How long the server may take to become ready, in milliseconds.
   * @defaultValue `120000`
   */
  startTimeout?: number | undefined;
}

/** Options of the kind `'sidecar'`: the HTTP server that this package replaces. */
export interface SidecarConfig extends IEmbedderConfig {
  sidecar?:
    | (ServerOptions & {
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
        command?:
          | {
              file: string;
              args?: readonly string[] | undefined;
              cwd?: string | undefined;
              env?: Readonly<Record<string, string | undefined>> | undefined;
            }
          | undefined;
      })
    | undefined;
}

/** Options of the kind `'ollama'`. */
export interface OllamaConfig extends IEmbedderConfig {
  ollama?:
    | (ServerOptions & {
        /** The model's name in Ollama, such as `'bge-m3'`; default: `modelName`. */
        model?: string | undefined;
      })
    | undefined;
}

/** A function that returns one vector per text, in the order of the texts. */
export type EmbedFunction = (
  texts: readonly string[],
  options: { signal: AbortSignal },
) => Promise<readonly (readonly number[] | Float32Array | Float64Array)[]>;

/** Options of the kind `'custom'`. */
export interface CustomConfig extends IEmbedderConfig {
  custom?:
    | {
        /** Computes the vectors. */
        embed: EmbedFunction;
        /** Identifies the vector space in index stamps: change it whenever the vectors change. */
        fingerprint: string;
        /** Called by `shutdown`, and when the session is replaced. It is waited for up to `drainTimeout`. */
        close?: (() => Promise<void>) | undefined;
      }
    | undefined;
}

/** Options of the kind `'test'`. */
export interface TestConfig extends IEmbedderConfig {
  /**
   * Length of a vector: from 1 to 65,536.
   * @defaultValue `768`
   */
  dimension?: number | undefined;
}

/** Additional options of one call. */
export interface CallOptions {
  /** Cancels the call, which rejects with `ERR_EMBED_ABORTED`; its `cause` is the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Whether the call goes before `'bulk'` calls.
   * @defaultValue `'interactive'` for one text, else `'bulk'`
   */
  priority?: Priority | undefined;
}

/**
 * The stages of a start, in this order. Unnecessary ones are left out, and a start never goes back to an earlier one. A
 * damaged prepared copy is made again during `'loading'`.
 */
export type StartupStage = 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready' | 'error';

/** An event of an embedder, passed to `onEvent`. */
export type EmbedderEvent = StageEvent | ErrorEvent | RestartEvent | FallbackEvent;

/** A stage of a start. */
export interface StageEvent {
  readonly type: 'stage';
  readonly stage: Exclude<StartupStage, 'error'>;
  readonly kind: EmbedderKind;
  /** A description of the stage. */
  readonly message: string;
  /** Progress of this stage, from 0 to 1, if known. */
  readonly progress?: number;
}

/** A start failed, or a session failed permanently. */
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
  /** Whether the app requested it or the session failed. */
  readonly reason: 'requested' | 'failure';
  /** The number of this attempt, from 1 to 3; 1 if the app requested it. */
  readonly attempt: number;
  /** The failure that caused it. */
  readonly error?: EmbedError;
}

/** A kind could not start, or its vectors do not match the index; the next kind is tried. */
export interface FallbackEvent {
  readonly type: 'fallback';
  readonly from: EmbedderKind;
  readonly to: EmbedderKind;
  readonly error: EmbedError;
}

/** Everything known to determine the vectors of an embedder: what index stamps store and compare. */
export interface VectorSpace {
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
