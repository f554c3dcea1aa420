/** `sentence-embedder/llamaindex`: an embedder as LlamaIndex's `BaseEmbedding`. */

import { BaseEmbedding, type BaseEmbeddingOptions } from '@llamaindex/core/embeddings';
import { extractSingleText } from '@llamaindex/core/utils';
import { abortSignal } from '../checks.js';
import { checkOptions, Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike } from './types.js';

export type * from './types.js';

/** Options of {@link SentenceEmbedding}. */
export interface SentenceEmbeddingOptions extends AdapterOptions {
  /** Cancels every call. LlamaIndex passes no signal. */
  signal?: AbortSignal;
}

/**
 * LlamaIndex's `BaseEmbedding` over an `Embedder`, which you still have to close. `embedBatchSize` has no effect: all texts
 * go to the embedder together, which makes its own batches.
 *
 * @example
 * ```ts
 * import { Settings } from 'llamaindex';
 * import { Embedder } from 'sentence-embedder';
 * import { SentenceEmbedding } from 'sentence-embedder/llamaindex';
 *
 * Settings.embedModel = new SentenceEmbedding(await Embedder.load({ model: './models/all-MiniLM-L6-v2' }));
 * ```
 */
export class SentenceEmbedding extends BaseEmbedding {
  /** Returns one vector per text, in the bulk lane. */
  override getTextEmbeddings: (texts: string[]) => Promise<number[][]>;
  readonly #roles: Roles;
  readonly #signal: AbortSignal | undefined;

  /**
   * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and invalid values, and `ERR_EMBED_MODEL_INVALID` if the
   * model's prompts cannot be used.
   */
  constructor(embedder: EmbedderLike, options: SentenceEmbeddingOptions = {}) {
    checkOptions(options, { signal: abortSignal });
    super();
    this.#roles = new Roles(embedder, options.prompts);
    this.#signal = options.signal;
    this.embedInfo = { dimensions: embedder.info.dimension, maxTokens: embedder.info.maxTokens };
    this.getTextEmbeddings = (texts) => this.getTextEmbeddingsBatch(texts);
  }

  /** Returns the vector of a document, in the bulk lane. */
  override async getTextEmbedding(text: string): Promise<number[]> {
    const [vector] = await this.getTextEmbeddings([text]);
    return vector ?? [];
  }

  /** Returns the vector of a question, in the interactive lane; `null` if it has no text. */
  override async getQueryEmbedding(query: Parameters<BaseEmbedding['getQueryEmbedding']>[0]): Promise<number[] | null> {
    const text = extractSingleText(query);
    return text === null ? null : this.#roles.query(text, withSignal(this.#signal));
  }

  /**
   * Returns one vector per text, in the bulk lane. `progressCallback` receives the number of texts done and of all texts;
   * `logProgress` and `logger` have no effect.
   */
  override getTextEmbeddingsBatch(texts: string[], options?: BaseEmbeddingOptions): Promise<number[][]> {
    const onProgress = options?.progressCallback;
    return this.#roles.documents(texts, { ...withSignal(this.#signal), ...(onProgress ? { onProgress } : {}) });
  }
}
