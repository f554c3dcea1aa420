/** The life of an embedder, whatever makes its vectors: start, calls in batches, retries, the end. */

import { setMaxListeners } from 'node:events';
import { listen, signalOf } from '../abort.js';
import { abortedError, asEmbedError, describe, embedError, endedBy, throwIfAborted } from '../errors.js';
import type { EmbedError, EmbedErrorCode, Priority } from '../types.js';
import { atMost, checkedTexts, inBatches, pause, Places } from './batches.js';
import { GROWTH_AFTER_RESTART, problemsOf, problemsOfCall, settingsOf, type Settings } from './config.js';
import type { Engine, EngineTraits, StartContext } from './engine.js';
import { Reporter } from './events.js';
import type {
  CallOptions,
  EmbedderKind,
  IEmbedder,
  IEmbedderConfig,
  IEmbedderStats,
  VectorSpace,
} from './iembedder.js';
import { Sessions, type Batch } from './sessions.js';
import { SharedStart } from './shared-start.js';
import { linked } from './signals.js';

/** Errors that may be gone at the next try. */
const PASSING: ReadonlySet<EmbedErrorCode> = new Set([
  'ERR_EMBED_INFERENCE',
  'ERR_EMBED_TIMEOUT',
  'ERR_EMBED_RUNTIME_NOT_FOUND',
  'ERR_EMBED_DOWNLOAD',
  'ERR_EMBED_INTERNAL',
]);

/**
 * The base class of the drop-in embedders. A session, which subclasses start, computes the vectors; it is replaced by
 * {@link ManagedEmbedder.restart}, and after a failure.
 */
export abstract class ManagedEmbedder implements IEmbedder {
  /** What computes the vectors. */
  readonly kind: EmbedderKind;
  readonly #traits: EngineTraits;
  readonly #settings: Settings;
  readonly #problems: readonly string[];
  readonly #reporter: Reporter;
  readonly #sessions: Sessions;
  readonly #places: Places;
  readonly #calls = new Set<Promise<unknown>>();
  readonly #start = new SharedStart((signal) => this.#initialize(signal));

  /** Whether calls are taken. */
  #open = false;
  /** Ends starts and calls; one for each life from `initialize` to `shutdown`. */
  #life = new AbortController();
  #stopping: Promise<void> | undefined;
  #memoryAfterRestart = 0;

  // What apps see of the next one, whose types are not theirs: without any, a subclass of theirs would compile, and fail when run.
  protected constructor(kind: never, traits: never, config: never, start: never);
  /** @internal */
  protected constructor(
    kind: EmbedderKind,
    traits: EngineTraits,
    config: IEmbedderConfig,
    start: (context: StartContext) => Promise<Engine>,
  );
  protected constructor(
    kind: EmbedderKind,
    traits: EngineTraits,
    config: IEmbedderConfig,
    start: (context: StartContext) => Promise<Engine>,
  ) {
    this.kind = kind;
    this.#traits = traits;
    this.#problems = problemsOf(config, [kind]);
    this.#settings = settingsOf(this.#problems.length > 0 ? listenerOf(config) : config);
    this.#reporter = new Reporter(kind, this.#settings.onEvent);
    this.#sessions = new Sessions({ traits, settings: this.#settings, reporter: this.#reporter, start });
    this.#places = new Places(traits.concurrency);
  }

  /**
   * The session that is in place.
   * @internal
   */
  protected get engine(): Engine | undefined {
    return this.#sessions.engine;
  }

  /** The last error of a start or a session; `undefined` after a successful start. */
  get lastError(): EmbedError | undefined {
    return this.#reporter.lastError;
  }

  /** What determines the vectors, for index stamps; `undefined` before a session has started. */
  get space(): VectorSpace | undefined {
    return this.#sessions.engine?.space;
  }

  /**
   * Starts the session. Resolves to false if that fails; the reason is in `lastError`. Has no effect during a start or
   * while the session works; after a failure or a shutdown it starts a new one.
   *
   * @param options - `signal` cancels the start, which then resolves to false for all who wait for it.
   */
  async initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean> {
    return this.#isReady || this.#start.join(signalOf(options));
  }

  /** Returns one vector per text, in the order of the texts, as plain arrays. */
  async embed(texts: readonly string[], options?: CallOptions): Promise<number[][]> {
    return asArrays(await this.embedTyped(texts, options));
  }

  /** The same, retrying each batch up to `maxRetries` times; the default is `retries` of the configuration. */
  async embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]> {
    const retries: unknown = maxRetries ?? this.#settings.retries;
    if (!Number.isInteger(retries) || (retries as number) < 0) {
      const message = `Expected a whole number of at least 0 for maxRetries but received ${describe(retries)}`;
      throw embedError('ERR_EMBED_INVALID_ARGUMENT', message);
    }
    return asArrays(await this.#embed(texts, retries as number, options));
  }

  /** Like {@link ManagedEmbedder.embed}, without the cost of copying to plain arrays. */
  async embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]> {
    return this.#embed(texts, this.#traits.retriesEmbed ? this.#settings.retries : 0, options);
  }

  /** Whether `maxFilesBeforeRestart` or `maxMemoryMB` is reached; false without a session. */
  shouldRestart(): Promise<boolean> {
    return Promise.resolve(this.#shouldRestart());
  }

  /**
   * Replaces the session with a fresh one; the old one completes its calls first. Without a session, and after it has failed
   * for good, it does the same as `initialize`. Rejects if the start fails or the model now has another vector space; the old
   * session then stays, unless the two cannot exist at the same time.
   */
  async restart(): Promise<void> {
    if (!this.#isReady) {
      if (await this.initialize()) return;
      throw this.lastError ?? notInitialized();
    }
    await this.#sessions.restart();
    this.#memoryAfterRestart = this.#traits.memory?.().rss ?? 0;
  }

  /**
   * Stops accepting calls, waits up to `drainTimeout` for those in progress, and frees everything. Cancels a start in
   * progress. Never rejects.
   */
  async shutdown(): Promise<void> {
    this.#open = false;
    const reason = embedError('ERR_EMBED_CLOSED', 'The embedder was shut down during the call');
    const cancelled = this.#start.cancel(reason);
    this.#stopping ??= this.#shutdown(reason).finally(() => {
      this.#stopping = undefined;
    });
    await Promise.all([cancelled, this.#stopping]);
  }

  getStats(): IEmbedderStats {
    const memoryUsage = this.#traits.memory?.();
    return {
      filesSinceSpawn: this.#sessions.files,
      isReady: this.#isReady,
      ...(memoryUsage && { memoryUsage }),
    };
  }

  get #isReady(): boolean {
    return this.#open && !this.#sessions.failure;
  }

  async #initialize(signal: AbortSignal): Promise<boolean> {
    await this.#stopping;
    const life = new AbortController();
    setMaxListeners(0, life.signal);
    const stopListening = listen(signal, () => { life.abort(signal.reason); }); // prettier-ignore
    try {
      throwIfAborted(signal);
      if (this.#problems.length > 0) throw embedError('ERR_EMBED_INVALID_ARGUMENT', this.#problems.join('; '));
      this.#life.abort(this.#sessions.failure); // calls of a life that has failed have nothing to wait for
      this.#life = life;
      await this.#sessions.begin(life.signal);
      if (this.#settings.autoStart) await this.#sessions.replace();
      throwIfAborted(signal);
      this.#reporter.lastError = undefined;
      this.#open = true;
      return true;
    } catch (cause) {
      const error = asEmbedError(cause);
      if (this.lastError !== error) this.#reporter.fail(error); // else it was told where it happened
      this.#open = false;
      await this.#sessions.end();
      return false;
    } finally {
      stopListening();
    }
  }

  async #shutdown(reason: EmbedError): Promise<void> {
    await atMost(this.#settings.drainTimeout, Promise.allSettled(this.#calls));
    this.#life.abort(reason);
    await this.#sessions.end();
    await Promise.allSettled(this.#calls);
    this.#memoryAfterRestart = 0;
  }

  #shouldRestart(): boolean {
    if (!this.#sessions.engine) return false;
    if (this.#sessions.files >= this.#settings.maxFilesBeforeRestart) return true;
    const { rss } = this.#traits.memory?.() ?? { rss: 0 };
    const limit = this.#settings.maxMemoryMB * 1e6;
    // Asking for a restart that has just not helped would make the host restart after every file.
    return (
      rss > Math.max(limit, this.#memoryAfterRestart > limit ? this.#memoryAfterRestart * GROWTH_AFTER_RESTART : 0)
    );
  }

  #embed(texts: unknown, retries: number, options: CallOptions | undefined): Promise<Float32Array[]> {
    const call = this.#embedAll(texts, retries, options);
    this.#calls.add(call);
    const forget = (): void => {
      this.#calls.delete(call);
    };
    call.then(forget, forget);
    return call;
  }

  async #embedAll(given: unknown, retries: number, options: CallOptions | undefined): Promise<Float32Array[]> {
    const life = this.#life;
    if (!this.#open) throw notInitialized();
    const texts = checkedTexts(given);
    const problems = problemsOfCall(options);
    if (problems.length > 0) throw embedError('ERR_EMBED_INVALID_ARGUMENT', problems.join('; '));
    const signal = signalOf(options);
    if (signal?.aborted) throw abortedError(signal);
    if (texts.length === 0) return [];
    const priority = options?.priority ?? (texts.length === 1 ? 'interactive' : 'bulk');

    // Ends the batches of this call: at its signal, at the end of the embedder, and when one of them has failed.
    const { end, unlink } = linked(life.signal, ...(signal ? [signal] : []));
    try {
      const batches = inBatches(texts, this.#settings.batchSize).map((batch) =>
        this.#inPlace(priority, end.signal, () => this.#withRetries(batch, retries, priority, end.signal)),
      );
      const vectors = (await Promise.all(batches)).flat();
      this.#sessions.countFile();
      return vectors;
    } catch (cause) {
      if (signal?.aborted) throw abortedError(signal);
      throw life.signal.aborted ? endedBy(life.signal) : asEmbedError(cause);
    } finally {
      unlink();
      end.abort();
    }
  }

  #inPlace<T>(priority: Priority, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (priority === 'interactive' && this.#traits.ownLanes) return work();
    return this.#places.run(priority, signal, work);
  }

  async #withRetries(
    texts: readonly string[],
    retries: number,
    priority: Priority,
    signal: AbortSignal,
  ): Promise<Float32Array[]> {
    const batch: Batch = { texts, broken: 0 };
    for (let left = retries; ; left--) {
      try {
        return await this.#sessions.embed(batch, { signal, timeoutMs: this.#settings.timeout, priority });
      } catch (cause) {
        const error = asEmbedError(cause);
        const isFinal = this.#sessions.failure !== undefined || this.#sessions.hasGivenUp(batch);
        if (left === 0 || isFinal || signal.aborted || !PASSING.has(error.code)) throw error;
      }
      await pause(this.#settings.retryDelay, signal);
    }
  }
}

/** What is used of a configuration that is wrong: where to say so. */
function listenerOf(config: unknown): Pick<IEmbedderConfig, 'onEvent'> {
  const { onEvent } = (config ?? {}) as IEmbedderConfig;
  return typeof onEvent === 'function' ? { onEvent } : {};
}

/** The error of a call before `initialize` and after `shutdown`. */
export function notInitialized(): EmbedError {
  return embedError('ERR_EMBED_CLOSED', 'The embedder is not initialized: call initialize() first');
}

function asArrays(vectors: readonly Float32Array[]): number[][] {
  return vectors.map((vector) => Array.from(vector));
}
