/** The types that the adapters share. */

import type { DetailedEmbeddings, EmbedOptions, ModelInfo } from '../types.js';

export type { DetailedEmbeddings, EmbedOptions, ModelInfo, Pooling, Precision, Priority } from '../types.js';

/** What a text is in retrieval: the question, or one of the texts that are searched. */
export type InputType = 'query' | 'document';

/**
 * What is put before a text, by its role: `{ query: 'query: ', passage: 'passage: ' }` for models of the E5 family. The second
 * role has the names that models' own configurations have for it, of which one may be given.
 */
export interface RetrievalPrompts {
  /**
   * Put before a question.
   * @defaultValue the prompt `query` of the model's config_sentence_transformers.json, else nothing
   */
  query?: string;
  /**
   * Put before a text that is searched.
   * @defaultValue the prompt `document`, else `passage`, else `corpus` of the same file, else nothing
   */
  document?: string;
  /** The same as `document`. */
  passage?: string;
  /** The same as `document`. */
  corpus?: string;
}

/** What an adapter needs of an embedder: an `Embedder` has it. */
export interface EmbedderLike {
  /** The model. */
  readonly info: ModelInfo;
  /** The vectors of texts, in their order, with their token counts. */
  embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
}

/** Options that every adapter has. */
export interface AdapterOptions {
  /** What is put before texts. What is not given is what the model's own configuration says. */
  prompts?: RetrievalPrompts;
}
