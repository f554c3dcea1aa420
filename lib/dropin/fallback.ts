/** Tries one kind of embedder after the other until one starts, and then stays with it. */

import { signalOf } from '../abort.js';
import { asEmbedError, embedError, endedBy } from '../errors.js';
import { checkIndexStamp } from '../stamps.js';
import type { EmbedError } from '../types.js';
import { emit } from './events.js';
import type {
  CallOptions,
  EmbedderKind,
  IEmbedder,
  IEmbedderConfig,
  IEmbedderStats,
  VectorSpace,
} from './iembedder.js';
import { notInitialized, type ManagedEmbedder } from './managed.js';
import { SharedStart } from './shared-start.js';
import { untilAborted } from './signals.js';

/**
 * An {@link IEmbedder} that uses the first of several kinds that starts. It emits an event when that is not the first, and
 * never changes afterwards, so one index gets the vectors of one kind. {@link checkIndexStamp} shows whether they match an
 * existing index.
 */
export class FallbackEmbedder implements IEmbedder {
  readonly #first: ManagedEmbedder;
  readonly #candidates: readonly ManagedEmbedder[];
  readonly #options: FallbackOptions;
  readonly #choice = new SharedStart((signal) => this.#choose(signal));
  /** The one that has started, for ever. */
  #chosen: ManagedEmbedder | undefined;
  /** Whether a call may start the first that can be started. */
  #lazy = false;
  #lastError: EmbedError | undefined;

  private constructor(first: ManagedEmbedder, others: readonly ManagedEmbedder[], options: FallbackOptions) {
    this.#first = first;
    this.#candidates = [first, ...others];
    this.#options = options;
  }

  /** @internal */
  static of(first: ManagedEmbedder, others: readonly ManagedEmbedder[], options: FallbackOptions): FallbackEmbedder {
    return new FallbackEmbedder(first, others, options);
  }

  /** The kind that has started; before that, the first one. */
  get kind(): EmbedderKind {
    return (this.#chosen ?? this.#first).kind;
  }

  /** See {@link ManagedEmbedder.lastError}. If no kind starts, the error of the last one. */
  get lastError(): EmbedError | undefined {
    return this.#chosen ? this.#chosen.lastError : this.#lastError;
  }

  /** See {@link ManagedEmbedder.space}. */
  get space(): VectorSpace | undefined {
    return this.#chosen?.space;
  }

  /** Starts the first kind that works. See {@link ManagedEmbedder.initialize}. */
  async initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean> {
    if (this.#chosen) return this.#chosen.initialize(options);
    this.#lazy = !this.#options.autoStart;
    return this.#lazy || this.#choice.join(signalOf(options));
  }

  async embed(texts: readonly string[], options?: CallOptions): Promise<number[][]> {
    return this.#call(options, (it) => it.embed(texts, options));
  }

  /** Like `embed`, without the cost of copying to plain arrays. */
  async embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]> {
    return this.#call(options, (it) => it.embedTyped(texts, options));
  }

  async embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]> {
    return this.#call(options, (it) => it.embedWithRetry(texts, maxRetries, options));
  }

  async shouldRestart(): Promise<boolean> {
    return this.#chosen?.shouldRestart() ?? false;
  }

  /** Replaces the session with a fresh one of the same kind. Before the first start, it does the same as `initialize`. */
  async restart(): Promise<void> {
    if (this.#chosen) return this.#chosen.restart();
    if (!(await this.#choice.join())) throw this.#lastError ?? notInitialized();
  }

  async shutdown(): Promise<void> {
    this.#lazy = false;
    const reason = embedError('ERR_EMBED_CLOSED', 'The embedder was shut down while it started');
    await Promise.all([this.#choice.cancel(reason), ...this.#candidates.map((candidate) => candidate.shutdown())]);
  }

  getStats(): IEmbedderStats {
    return this.#chosen?.getStats() ?? { ...this.#first.getStats(), isReady: this.#lazy };
  }

  /** Makes a call of the one that has started: at once, so that a shutdown right after it lets it finish. */
  async #call<T>(options: CallOptions | undefined, make: (embedder: ManagedEmbedder) => Promise<T>): Promise<T> {
    if (!this.#chosen && this.#lazy) {
      const signal = signalOf(options);
      const choose = (): Promise<boolean> => this.#choice.join(); // not with the signal, which would cancel it for all
      await (signal ? untilAborted(signal, choose) : choose());
    }
    if (this.#chosen) return make(this.#chosen);
    throw (this.#lazy ? this.#lastError : undefined) ?? notInitialized();
  }

  async #choose(signal: AbortSignal): Promise<boolean> {
    let failed: { kind: EmbedderKind; error: EmbedError } | undefined;
    for (const candidate of this.#candidates) {
      const { kind } = candidate;
      if (failed) emit(this.#options.onEvent, { type: 'fallback', from: failed.kind, to: kind, error: failed.error });
      const started = await candidate.initialize({ signal });
      const error = started ? failed && (await this.#mismatch(candidate)) : candidate.lastError;
      if (started && !error && !signal.aborted) {
        this.#chosen = candidate;
        return true;
      }
      await candidate.shutdown();
      failed = { kind, error: error ?? asEmbedError(new Error('it did not start')) };
      if (signal.aborted) failed.error = endedBy(signal);
      this.#lastError = failed.error;
      if (signal.aborted) break;
    }
    return false;
  }

  /** Why vectors of this fallback must not go into the index that is there. */
  async #mismatch(candidate: ManagedEmbedder): Promise<EmbedError | undefined> {
    const { indexDir } = this.#options;
    if (indexDir === undefined) return undefined;
    const { verdict, reason } = await checkIndexStamp(indexDir, candidate);
    return verdict === 'reindex' ? embedError('ERR_EMBED_MODEL_INVALID', reason) : undefined;
  }
}

/** What is not each candidate's own. */
export interface FallbackOptions {
  readonly onEvent: IEmbedderConfig['onEvent'];
  readonly autoStart: boolean;
  readonly indexDir: string | undefined;
}
