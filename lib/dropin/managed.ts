/** The life of an embedder, whatever makes its vectors: start, batches, retries, restarts, the end. */

import { setMaxListeners } from 'node:events';
import { types } from 'node:util';
import { listen, signalOf } from '../abort.js';
import { abortedError, codeOf, embedError, throwIfAborted } from '../errors.js';
import type { EmbedError, EmbedErrorCode, Priority } from '../types.js';
import { checkedTexts, inBatches, pause, Places } from './batches.js';
import { describe, GROWTH_AFTER_RESTART, MAX_REBUILDS, problemsOf, settingsOf, type Settings } from './config.js';
import type { Engine, EngineTraits, StartContext } from './engine.js';
import type {
  CallOptions,
  EmbedderEvent,
  EmbedderKind,
  IEmbedder,
  IEmbedderConfig,
  IEmbedderStats,
  VectorSpace,
} from './iembedder.js';

/** Errors that may be gone at the next try. */
const PASSING: ReadonlySet<EmbedErrorCode> = new Set([
  'ERR_EMBED_INFERENCE',
  'ERR_EMBED_TIMEOUT',
  'ERR_EMBED_RUNTIME_NOT_FOUND',
  'ERR_EMBED_DOWNLOAD',
  'ERR_EMBED_INTERNAL',
]);

/** Errors that may mean that the session is broken. */
const OF_SESSION: ReadonlySet<EmbedErrorCode> = new Set([
  'ERR_EMBED_INFERENCE',
  'ERR_EMBED_RUNTIME_NOT_FOUND',
  'ERR_EMBED_INTERNAL',
]);

/** A session and the batches that it works on. */
interface Running {
  readonly engine: Engine;
  batches: number;
  whenIdle: (() => void) | undefined;
}

/**
 * An {@link IEmbedder} with the habits that host apps rely on. What makes the vectors is a session, which subclasses
 * start; it is replaced by {@link ManagedEmbedder.restart}, and when it has failed.
 */
export abstract class ManagedEmbedder implements IEmbedder {
  /** What makes the vectors. */
  readonly kind: EmbedderKind;
  readonly #traits: EngineTraits;
  readonly #start: (context: StartContext) => Promise<Engine>;
  readonly #settings: Settings;
  readonly #problems: readonly string[];
  readonly #places: Places;
  readonly #calls = new Set<Promise<unknown>>();
  /** Ends of earlier sessions that are under way. */
  readonly #retiring = new Set<Promise<void>>();

  /** Whether calls are taken. */
  #open = false;
  /** Ends starts and calls; one for each life from `initialize` to `shutdown`. */
  #life = new AbortController();
  #running: Running | undefined;
  #initializing: Promise<boolean> | undefined;
  #replacing: Promise<void> | undefined;
  #rebuilding: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** Replacements since the last success. */
  #rebuilds = 0;
  /** Why there will be no further replacement. */
  #failure: EmbedError | undefined;
  #lastError: EmbedError | undefined;
  #files = 0;
  #memoryAfterRestart = 0;

  /** @internal */
  protected constructor(
    kind: EmbedderKind,
    traits: EngineTraits,
    config: IEmbedderConfig,
    start: (context: StartContext) => Promise<Engine>,
  ) {
    this.kind = kind;
    this.#start = start;
    this.#traits = traits;
    this.#problems = problemsOf(config, [kind]);
    this.#settings = settingsOf(this.#problems.length > 0 ? listenerOf(config) : config);
    this.#places = new Places(traits.concurrency);
  }

  /**
   * The session that is in place.
   * @internal
   */
  protected get engine(): Engine | undefined {
    return this.#running?.engine;
  }

  /** What went wrong last at a start or with a session; nothing after a start that worked. */
  get lastError(): EmbedError | undefined {
    return this.#lastError;
  }

  /** What decides the vectors, for index stamps; nothing before a session has started. */
  get space(): VectorSpace | undefined {
    return this.#running?.engine.space;
  }

  /**
   * Starts the session. Answers false when that fails, and keeps the reason as `lastError`. Calling it again while it
   * runs, or when all is well, changes nothing; after a failure or a shutdown it starts afresh.
   *
   * @param options - `signal` cancels the start, which then answers false.
   */
  async initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean> {
    await this.#stopping;
    if (this.#open && !this.#failure) return true;
    this.#initializing ??= this.#initialize(signalOf(options)).finally(() => {
      this.#initializing = undefined;
    });
    return this.#initializing;
  }

  /** One vector a text, in the order of the texts, as plain arrays. */
  async embed(texts: readonly string[], options?: CallOptions): Promise<number[][]> {
    return asArrays(await this.embedTyped(texts, options));
  }

  /** The same, trying each batch again up to `maxRetries` times, by default `retries` of the configuration. */
  async embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]> {
    const retries: unknown = maxRetries ?? this.#settings.retries;
    if (!Number.isInteger(retries) || (retries as number) < 0) {
      const message = `Expected a whole number from 0 for maxRetries but received ${describe(retries)}`;
      throw embedError('ERR_EMBED_INVALID_ARGUMENT', message);
    }
    return asArrays(await this.#embed(texts, retries as number, options));
  }

  /** The same as {@link ManagedEmbedder.embed} without the copies that plain arrays take. */
  async embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]> {
    return this.#embed(texts, this.#traits.retriesEmbed ? this.#settings.retries : 0, options);
  }

  /** Whether `maxFilesBeforeRestart` or `maxMemoryMB` is reached. False without a session. */
  shouldRestart(): Promise<boolean> {
    return Promise.resolve(this.#shouldRestart());
  }

  /**
   * Puts a fresh session in place of the old one, which answers its calls first. Without one it starts as `initialize`
   * does. Rejects when the start fails; the old session then stays, unless the two cannot be there at once.
   */
  async restart(): Promise<void> {
    await this.#stopping;
    if (!this.#open) {
      if (await this.initialize()) return;
      throw this.#lastError ?? this.#notInitialized();
    }
    this.#emit({ type: 'restart', kind: this.kind, reason: 'requested', attempt: 1 });
    this.#failure = undefined;
    this.#rebuilds = 0;
    await this.#replace();
    await Promise.all(this.#retiring);
    this.#memoryAfterRestart = this.#traits.memory?.().rss ?? 0;
  }

  /** Takes no more calls, waits for those under way up to `drainTimeout`, and frees everything. Never rejects. */
  async shutdown(): Promise<void> {
    this.#stopping ??= this.#shutdown().finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  getStats(): IEmbedderStats {
    const memoryUsage = this.#traits.memory?.();
    return {
      filesSinceSpawn: this.#files,
      isReady: this.#open && !this.#failure,
      ...(memoryUsage && { memoryUsage }),
    };
  }

  async #initialize(signal: AbortSignal | undefined): Promise<boolean> {
    this.#failure = undefined;
    this.#rebuilds = 0;
    this.#life = new AbortController();
    setMaxListeners(0, this.#life.signal);
    const life = this.#life;
    const stopListening = signal && listen(signal, () => { life.abort(signal.reason); }); // prettier-ignore
    if (signal?.aborted) life.abort(signal.reason);
    try {
      if (this.#problems.length > 0) throw embedError('ERR_EMBED_INVALID_ARGUMENT', this.#problems.join('; '));
      if (this.#settings.autoStart) await this.#replace();
      if (life.signal.aborted) throw abortedError(life.signal);
      this.#lastError = undefined;
      this.#open = true;
      return true;
    } catch (error) {
      if (!this.#problems.length && this.#lastError === error) return false; // reported where it happened
      this.#report(asEmbedError(error));
      return false;
    } finally {
      stopListening?.();
    }
  }

  /** Starts a session, puts it in place, and lets the one before finish. Everyone who asks meanwhile shares it. */
  #replace(): Promise<void> {
    this.#replacing ??= this.#startAndSwap().finally(() => {
      this.#replacing = undefined;
    });
    return this.#replacing;
  }

  async #startAndSwap(): Promise<void> {
    const { signal } = this.#life;
    const old = this.#running;
    if (old && this.#traits.exclusive) {
      this.#running = undefined;
      await this.#retire(old);
    }
    let engine: Engine;
    try {
      this.#tell('checking', 'Checking what is there');
      engine = await this.#start({
        signal,
        tell: (stage, message, progress) => {
          this.#tell(stage, message, progress);
        },
      });
      if (signal.aborted) {
        await engine.close();
        throw abortedError(signal);
      }
    } catch (cause) {
      const error = signal.aborted ? abortedError(signal) : asEmbedError(cause);
      this.#report(error);
      throw error;
    }
    this.#running = { engine, batches: 0, whenIdle: undefined };
    this.#files = 0;
    this.#lastError = undefined;
    this.#tell('ready', 'Ready to embed', 1);
    if (old && !this.#traits.exclusive) this.#retireLater(old);
  }

  /** A failed session must not hold up its successor: whoever needs to know that it is gone waits for it. */
  #retireLater(running: Running): void {
    const retiring = this.#retire(running).finally(() => {
      this.#retiring.delete(retiring);
    });
    this.#retiring.add(retiring);
  }

  /** Lets a session finish its batches, up to `drainTimeout`, and frees it. */
  async #retire(running: Running): Promise<void> {
    if (running.batches > 0) {
      const idle = new Promise<void>((resolve) => {
        running.whenIdle = resolve;
      });
      await atMost(this.#settings.drainTimeout, idle);
    }
    await running.engine.close();
  }

  async #shutdown(): Promise<void> {
    this.#open = false;
    const starting = this.#initializing;
    if (starting) {
      this.#life.abort(this.#notInitialized());
      await starting;
    }
    await atMost(this.#settings.drainTimeout, Promise.allSettled(this.#calls));
    this.#life.abort(embedError('ERR_EMBED_CLOSED', 'The embedder was shut down during the call'));
    await this.#replacing?.catch(() => undefined);
    const running = this.#running;
    this.#running = undefined;
    await running?.engine.close();
    await Promise.allSettled([...this.#retiring, ...this.#calls]);
    this.#files = 0;
    this.#memoryAfterRestart = 0;
  }

  #shouldRestart(): boolean {
    if (!this.#running) return false;
    if (this.#files >= this.#settings.maxFilesBeforeRestart) return true;
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
    if (!this.#open) throw this.#notInitialized();
    const texts = checkedTexts(given);
    const signal = signalOf(options);
    if (signal?.aborted) throw abortedError(signal);
    if (texts.length === 0) return [];
    const priority = options?.priority ?? (texts.length === 1 ? 'interactive' : 'bulk');

    // Ends the batches of this call: at its signal, at the end of the embedder, and when one of them has failed.
    const end = new AbortController();
    setMaxListeners(0, end.signal);
    const stops = [life.signal, ...(signal ? [signal] : [])].map((source) =>
      listen(source, () => {
        end.abort(source.reason);
      }),
    );
    try {
      const batches = inBatches(texts, this.#settings.batchSize).map((batch) =>
        this.#inPlace(priority, end.signal, () => this.#withRetries(batch, retries, priority, end.signal)),
      );
      const vectors = (await Promise.all(batches)).flat();
      this.#files += 1;
      return vectors;
    } catch (cause) {
      if (signal?.aborted) throw abortedError(signal);
      const { reason } = life.signal as { reason: unknown };
      throw life.signal.aborted && codeOf(reason) ? (reason as EmbedError) : asEmbedError(cause);
    } finally {
      for (const stop of stops) stop();
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
    for (let left = retries; ; left--) {
      try {
        return await this.#withRebuilds(texts, priority, signal);
      } catch (cause) {
        const error = asEmbedError(cause);
        if (left === 0 || this.#failure || signal.aborted || !PASSING.has(error.code)) throw error;
      }
      await pause(this.#settings.retryDelay, signal);
    }
  }

  /** Embeds a batch. If it fails because the session has, it goes to the next session. */
  async #withRebuilds(texts: readonly string[], priority: Priority, signal: AbortSignal): Promise<Float32Array[]> {
    for (;;) {
      const running = await this.#session(signal);
      running.batches += 1;
      let failed: EmbedError;
      try {
        const vectors = await running.engine.embed(texts, { signal, timeoutMs: this.#settings.timeout, priority });
        this.#rebuilds = 0;
        return vectors;
      } catch (cause) {
        failed = asEmbedError(cause);
      } finally {
        running.batches -= 1;
        if (running.batches === 0) running.whenIdle?.();
      }
      if (signal.aborted) throw failed;
      if (this.#running !== running) continue; // it was replaced and closed before it was done
      if (!this.#settings.autoRestart || !(await this.#isBroken(running, failed))) throw failed;
      throwIfAborted(signal);
      await this.#rebuild(running, failed);
    }
  }

  /** The session that takes the next batch, started if there is none. */
  async #session(signal: AbortSignal): Promise<Running> {
    for (;;) {
      throwIfAborted(signal);
      if (this.#failure) throw this.#failure;
      if (this.#running) return this.#running;
      await this.#replace();
    }
  }

  async #isBroken(running: Running, error: EmbedError): Promise<boolean> {
    if (error.code === 'ERR_EMBED_CLOSED') return true;
    // The texts may be what is wrong: then every session would fail on them.
    return OF_SESSION.has(error.code) && !(await running.engine.isHealthy());
  }

  #rebuild(broken: Running, error: EmbedError): Promise<void> {
    if (this.#running !== broken) return Promise.resolve(); // another call has seen to it
    this.#rebuilding ??= this.#tryRebuilding(error).finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  async #tryRebuilding(first: EmbedError): Promise<void> {
    const { signal } = this.#life;
    for (let error = first; ;) {
      if (this.#rebuilds >= MAX_REBUILDS) {
        const message = `The session failed after it was replaced ${String(MAX_REBUILDS)} times: ${error.message}`;
        this.#failure = embedError('ERR_EMBED_INFERENCE', message, { cause: error });
        this.#report(this.#failure);
        throw this.#failure;
      }
      if (this.#rebuilds > 0) await pause(this.#settings.retryDelay, signal);
      this.#rebuilds += 1;
      this.#emit({ type: 'restart', kind: this.kind, reason: 'failure', attempt: this.#rebuilds, error });
      try {
        await this.#replace();
        return;
      } catch (cause) {
        error = asEmbedError(cause);
        if (signal.aborted) throw error;
      }
    }
  }

  #notInitialized(): EmbedError {
    return embedError('ERR_EMBED_CLOSED', 'The embedder is not initialized: call initialize() first');
  }

  #report(error: EmbedError): void {
    this.#lastError = error;
    const { message, code } = error;
    this.#emit({ type: 'stage', stage: 'error', kind: this.kind, message, code, error });
  }

  #tell(
    stage: 'checking' | 'downloading' | 'preparing' | 'loading' | 'ready',
    message: string,
    progress?: number,
  ): void {
    const known = progress === undefined ? {} : { progress };
    this.#emit({ type: 'stage', stage, kind: this.kind, message, ...known });
  }

  #emit(event: EmbedderEvent): void {
    emit(this.#settings.onEvent, event);
  }
}

/** What is used of a configuration that is wrong: where to say so. */
function listenerOf(config: unknown): Pick<IEmbedderConfig, 'onEvent'> {
  const { onEvent } = (config ?? {}) as IEmbedderConfig;
  return typeof onEvent === 'function' ? { onEvent } : {};
}

/** Tells the host. What its callback throws is the host's own uncaught exception. */
export function emit(onEvent: IEmbedderConfig['onEvent'], event: EmbedderEvent): void {
  try {
    onEvent?.(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** An error of this package as it is; any other as the cause of one. */
export function asEmbedError(error: unknown): EmbedError {
  if (codeOf(error)) return error as EmbedError;
  const message = types.isNativeError(error) ? error.message : String(error);
  return embedError('ERR_EMBED_INFERENCE', message, { cause: error });
}

function asArrays(vectors: readonly Float32Array[]): number[][] {
  return vectors.map((vector) => Array.from(vector));
}

/** Waits for `work`, which must not reject, but no longer than `milliseconds`. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
