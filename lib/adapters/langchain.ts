/** `sentence-embedder/langchain`: an embedder as `Embeddings` of LangChain. */

import { Embeddings } from '@langchain/core/embeddings';
import { Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike } from './types.js';

export type * from './types.js';

/** Options of {@link SentenceEmbeddings}. */
export interface SentenceEmbeddingsOptions extends AdapterOptions {
  /** Cancels every call that has no signal of its own: LangChain's stores pass none. */
  signal?: AbortSignal;
}

/**
 * `Embeddings` over an `Embedder`, which stays the caller's to close. Nothing is retried or cut into batches on
 * this side: the embedder does its own.
 *
 * @example
 * ```ts
 * const store = new MemoryVectorStore(new SentenceEmbeddings(await Embedder.load()));
 * ```
 */
export class SentenceEmbeddings extends Embeddings {
  readonly #roles: Roles;
  readonly #signal: AbortSignal | undefined;

  /** Throws `ERR_EMBED_MODEL_INVALID` when the prompts of the model cannot be used. */
  constructor(embedder: EmbedderLike, options: SentenceEmbeddingsOptions = {}) {
    super({});
    this.#roles = new Roles(embedder, options);
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
