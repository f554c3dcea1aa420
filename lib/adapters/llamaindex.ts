/** `sentence-embedder/llamaindex`: an embedder as `BaseEmbedding` of LlamaIndex. */

import { BaseEmbedding, type BaseEmbeddingOptions } from '@llamaindex/core/embeddings';
import { extractSingleText } from '@llamaindex/core/utils';
import { abortSignal } from '../checks.js';
import { checkOptions, Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike } from './types.js';

export type * from './types.js';

/** Options of {@link SentenceEmbedding}. */
export interface SentenceEmbeddingOptions extends AdapterOptions {
  /** Cancels every call: LlamaIndex passes no signal. */
  signal?: AbortSignal;
}

/**
 * `BaseEmbedding` over an `Embedder`, which stays the caller's to close. `embedBatchSize` has no effect: all texts go
 * to the embedder at once, which makes its own batches.
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
  /** One vector a text, in the bulk lane. */
  override getTextEmbeddings: (texts: string[]) => Promise<number[][]>;
  readonly #roles: Roles;
  readonly #signal: AbortSignal | undefined;

  /**
   * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and wrong values, and `ERR_EMBED_MODEL_INVALID` when the prompts of
   * the model cannot be used.
   */
  constructor(embedder: EmbedderLike, options: SentenceEmbeddingOptions = {}) {
    checkOptions(options, { signal: abortSignal });
    super();
    this.#roles = new Roles(embedder, options.prompts);
    this.#signal = options.signal;
    this.embedInfo = { dimensions: embedder.info.dimension, maxTokens: embedder.info.maxTokens };
    this.getTextEmbeddings = (texts) => this.getTextEmbeddingsBatch(texts);
  }

  /** The vector of a text that is searched, in the bulk lane. */
  override async getTextEmbedding(text: string): Promise<number[]> {
    const [vector] = await this.getTextEmbeddings([text]);
    return vector ?? [];
  }

  /** The vector of a question, in the interactive lane; `null` for one without text. */
  override async getQueryEmbedding(query: Parameters<BaseEmbedding['getQueryEmbedding']>[0]): Promise<number[] | null> {
    const text = extractSingleText(query);
    return text === null ? null : this.#roles.query(text, withSignal(this.#signal));
  }

  /** One vector a text, in the bulk lane; `progressCallback` is told of texts done, of all texts. */
  override getTextEmbeddingsBatch(texts: string[], options?: BaseEmbeddingOptions): Promise<number[][]> {
    const onProgress = options?.progressCallback;
    return this.#roles.documents(texts, { ...withSignal(this.#signal), ...(onProgress ? { onProgress } : {}) });
  }
}
