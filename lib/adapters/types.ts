/** The types that the adapters share. */

import type { DetailedEmbeddings, EmbedOptions, ModelInfo } from '../types.js';

export type { DetailedEmbeddings, EmbedOptions, ModelInfo, Pooling, Precision, Priority } from '../types.js';

/** The role of a text in retrieval: the question, or one of the documents that are searched. */
export type InputType = 'query' | 'document';

/**
 * Text to put before each text, by role, such as `{ query: 'query: ', passage: 'passage: ' }` for models of the E5 family.
 * The document role has several names, as in models' own configurations; use only one of them.
 */
export interface RetrievalPrompts {
  /**
   * Text to put before a question.
   * @defaultValue the prompt `query` of the model's config_sentence_transformers.json, else nothing
   */
  query?: string;
  /**
   * Text to put before a document.
   * @defaultValue the prompt `document`, else `passage`, else `corpus` of the same file, else nothing
   */
  document?: string;
  /** The same as `document`. */
  passage?: string;
  /** The same as `document`. */
  corpus?: string;
}

/** What an adapter needs of an embedder; an `Embedder` has it. */
export interface EmbedderLike {
  /** The model. */
  readonly info: ModelInfo;
  /** Returns the vectors of texts in their order, with their token counts. */
  embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
}

/** Options of every adapter. */
export interface AdapterOptions {
  /** Text to put before each text. The default is the model's own configuration. */
  prompts?: RetrievalPrompts;
}
