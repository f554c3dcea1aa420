/** `sentence-embedder/langchain`: an embedder as `Embeddings` of LangChain. */

import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import { abortSignal, callback, type Check, type Checks } from '../checks.js';
import { checkOptions, Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike } from './types.js';

export type * from './types.js';

/**
 * Options of {@link SentenceEmbeddings}. Those of LangChain's own `Embeddings` reach its `caller`, through which nothing goes here:
 * calls of an embedder need no retries, and no bound but its own.
 */
export interface SentenceEmbeddingsOptions extends AdapterOptions, EmbeddingsParams {
  /** Cancels every call that has no signal of its own: LangChain's stores pass none. */
  signal?: AbortSignal;
}

const count: Check = (value) => (typeof value === 'number' ? undefined : 'a number');
const OPTIONS: Checks = { signal: abortSignal, maxConcurrency: count, maxRetries: count, onFailedAttempt: callback };

/**
 * `Embeddings` over an `Embedder`, which stays the caller's to close. Nothing is retried or cut into batches on
 * this side: the embedder does its own.
 *
 * @example
 * ```ts
 * import { MemoryVectorStore } from '@langchain/classic/vectorstores/memory';
 * import { Embedder } from 'sentence-embedder';
 * import { SentenceEmbeddings } from 'sentence-embedder/langchain';
 *
 * const embedder = await Embedder.load({ model: './models/all-MiniLM-L6-v2' });
 * const store = new MemoryVectorStore(new SentenceEmbeddings(embedder));
 * ```
 */
export class SentenceEmbeddings extends Embeddings {
  readonly #roles: Roles;
  readonly #signal: AbortSignal | undefined;

  /**
   * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and wrong values, and `ERR_EMBED_MODEL_INVALID` when the prompts of
   * the model cannot be used.
   */
  constructor(embedder: EmbedderLike, options: SentenceEmbeddingsOptions = {}) {
    checkOptions(options, OPTIONS);
    super(options);
    this.#roles = new Roles(embedder, options.prompts);
    this.#signal = options.signal;
  }

  /** The vector of a question, in the interactive lane. Rejects as `Embedder.embedOne` does. */
  override embedQuery(text: string, options?: { signal?: AbortSignal }): Promise<number[]> {
    return this.#roles.query(text, withSignal(options?.signal ?? this.#signal));
  }

  /** One vector a text, in the bulk lane. Rejects as `Embedder.embedBatch` does. */
  override embedDocuments(texts: string[], options?: { signal?: AbortSignal }): Promise<number[][]> {
    return this.#roles.documents(texts, withSignal(options?.signal ?? this.#signal));
  }
}
