/** `sentence-embedder/langchain`: an embedder as LangChain's `Embeddings`. */

import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import { abortSignal, callback, type Check, type Checks } from '../checks.js';
import { checkOptions, Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike } from './types.js';

export type * from './types.js';

/**
 * Options of {@link SentenceEmbeddings}. Those of LangChain's own `Embeddings` only affect its `caller`, which this class
 * does not use: an embedder's calls need no retries and no concurrency limit.
 */
export interface SentenceEmbeddingsOptions extends AdapterOptions, EmbeddingsParams {
  /** Cancels every call that has no signal of its own. LangChain's stores pass none. */
  signal?: AbortSignal;
}

const count: Check = (value) => (typeof value === 'number' ? undefined : 'a number');
const OPTIONS: Checks = { signal: abortSignal, maxConcurrency: count, maxRetries: count, onFailedAttempt: callback };

/**
 * LangChain's `Embeddings` over an `Embedder`, which you still have to close. Texts are neither retried nor split into
 * batches here: the embedder makes its own batches.
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
   * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and invalid values, and `ERR_EMBED_MODEL_INVALID` if the
   * model's prompts cannot be used.
   */
  constructor(embedder: EmbedderLike, options: SentenceEmbeddingsOptions = {}) {
    checkOptions(options, OPTIONS);
    super(options);
    this.#roles = new Roles(embedder, options.prompts);
    this.#signal = options.signal;
  }

  /** Returns the vector of a question, in the interactive lane. Rejects as `Embedder.embedOne` does. */
  override embedQuery(text: string, options?: { signal?: AbortSignal }): Promise<number[]> {
    return this.#roles.query(text, withSignal(options?.signal ?? this.#signal));
  }

  /** Returns one vector per text, in the bulk lane. Rejects as `Embedder.embedBatch` does. */
  override embedDocuments(texts: string[], options?: { signal?: AbortSignal }): Promise<number[][]> {
    return this.#roles.documents(texts, withSignal(options?.signal ?? this.#signal));
  }
}
