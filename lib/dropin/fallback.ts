/** Tries one kind of embedder after the other until one starts, and then stays with it. */

import { signalOf } from '../abort.js';
import { embedError } from '../errors.js';
import { checkIndexStamp } from '../stamps.js';
import type { EmbedError } from '../types.js';
import type {
  CallOptions,
  EmbedderKind,
  IEmbedder,
  IEmbedderConfig,
  IEmbedderStats,
  VectorSpace,
} from './iembedder.js';
import { asEmbedError, emit, type ManagedEmbedder } from './managed.js';

/**
 * An {@link IEmbedder} that is the first of several that can start. It says when it takes another than the first, and never
 * changes after that, so that one index gets the vectors of one kind; {@link checkIndexStamp} tells whether an index that
 * is there already takes them.
 */
export class FallbackEmbedder implements IEmbedder {
  readonly #candidates: readonly ManagedEmbedder[];
  readonly #indexDir: string | undefined;
  readonly #onEvent: IEmbedderConfig['onEvent'];
  #chosen: ManagedEmbedder;
  #starting: Promise<boolean> | undefined;
  /** Why the last fallback was not taken though it started. */
  #mismatched: EmbedError | undefined;

  /** @internal */
  constructor(
    first: ManagedEmbedder,
    others: readonly ManagedEmbedder[],
    options: { onEvent: IEmbedderConfig['onEvent']; indexDir: string | undefined },
  ) {
    this.#chosen = first;
    this.#candidates = [first, ...others];
    this.#indexDir = options.indexDir;
    this.#onEvent = options.onEvent;
  }

  /** The kind that was started; the first one before that. */
  get kind(): EmbedderKind {
    return this.#chosen.kind;
  }

  /** See {@link ManagedEmbedder.lastError}. */
  get lastError(): EmbedError | undefined {
    return this.#mismatched ?? this.#chosen.lastError;
  }

  /** See {@link ManagedEmbedder.space}. */
  get space(): VectorSpace | undefined {
    return this.#chosen.space;
  }

  /** Starts the first kind that can be started. See {@link ManagedEmbedder.initialize}. */
  async initialize(options?: Pick<CallOptions, 'signal'>): Promise<boolean> {
    this.#starting ??= this.#start(options).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async embed(texts: readonly string[], options?: CallOptions): Promise<number[][]> {
    return this.#chosen.embed(texts, options);
  }

  async embedTyped(texts: readonly string[], options?: CallOptions): Promise<Float32Array[]> {
    return this.#chosen.embedTyped(texts, options);
  }

  async embedWithRetry(texts: readonly string[], maxRetries?: number, options?: CallOptions): Promise<number[][]> {
    return this.#chosen.embedWithRetry(texts, maxRetries, options);
  }

  async shouldRestart(): Promise<boolean> {
    return this.#chosen.shouldRestart();
  }

  /** A fresh session of the same kind. */
  async restart(): Promise<void> {
    return this.#chosen.restart();
  }

  async shutdown(): Promise<void> {
    await Promise.all(this.#candidates.map((candidate) => candidate.shutdown()));
  }

  getStats(): IEmbedderStats {
    return this.#chosen.getStats();
  }

  async #start(options: Pick<CallOptions, 'signal'> | undefined): Promise<boolean> {
    if (this.#chosen.getStats().isReady) return true;
    this.#mismatched = undefined;
    let failed: { kind: EmbedderKind; error: EmbedError } | undefined;
    for (const candidate of this.#candidates) {
      if (failed) {
        if (signalOf(options)?.aborted || failed.error.code === 'ERR_EMBED_ABORTED') break;
        emit(this.#onEvent, { type: 'fallback', from: failed.kind, to: candidate.kind, error: failed.error });
      }
      this.#chosen = candidate;
      if (await candidate.initialize(options)) {
        this.#mismatched = failed && (await this.#mismatch(candidate));
        if (!this.#mismatched) return true;
        await candidate.shutdown();
        failed = { kind: candidate.kind, error: this.#mismatched };
      } else {
        this.#mismatched = undefined;
        const { lastError } = candidate;
        failed = { kind: candidate.kind, error: lastError ?? asEmbedError(new Error('it did not start')) };
      }
    }
    return false;
  }

  /** Why vectors of this fallback must not go into the index that is there. */
  async #mismatch(candidate: ManagedEmbedder): Promise<EmbedError | undefined> {
    if (this.#indexDir === undefined) return undefined;
    const { verdict, reason } = await checkIndexStamp(this.#indexDir, candidate);
    return verdict === 'reindex' ? embedError('ERR_EMBED_MODEL_INVALID', reason) : undefined;
  }
}
