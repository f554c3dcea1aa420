/** `sentence-embedder/ai-sdk`: an embedder as an embedding model of the AI SDK, for `embed` and `embedMany`. */

import type { EmbeddingModelV3 } from '@ai-sdk/provider';
import { embedError } from '../errors.js';
import { numbers, Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike, InputType } from './types.js';

export type * from './types.js';

/** The provider's name, and the key of its `providerOptions`. */
const PROVIDER = 'sentence-embedder';
const INPUT_TYPES: readonly unknown[] = ['query', 'document'] satisfies InputType[];

/** Options of {@link sentenceEmbedder}. */
export interface EmbeddingModelOptions extends AdapterOptions {
  /**
   * What the values are. `providerOptions: { 'sentence-embedder': { inputType } }` overrides it for one call.
   * @defaultValue one value is taken for a query and more for documents, which decides their lane; for a model with
   * prompts that would decide the vectors too, and is refused with `ERR_EMBED_INVALID_ARGUMENT`
   */
  inputType?: InputType;
}

/**
 * An embedding model of specification v3 over an `Embedder`, which stays the caller's to close. All values of an
 * `embedMany` go to the embedder at once; `abortSignal` is passed on; `usage.tokens` counts the tokens that the model read.
 *
 * Throws `ERR_EMBED_MODEL_INVALID` when the prompts of the model cannot be used.
 *
 * @example
 * ```ts
 * const { embedding } = await embed({ model: sentenceEmbedder(embedder), value: 'a cat' });
 * ```
 */
export function sentenceEmbedder(embedder: EmbedderLike, options: EmbeddingModelOptions = {}): EmbeddingModelV3 {
  const roles = new Roles(embedder, options);
  const inputTypeOf = (values: readonly string[], given: unknown): InputType => {
    if (given !== undefined) {
      if (INPUT_TYPES.includes(given)) return given as InputType;
      throw embedError(
        'ERR_EMBED_INVALID_ARGUMENT',
        `Expected 'query' or 'document' for inputType but received ${JSON.stringify(given)}`,
      );
    }
    if (roles.differ) {
      throw embedError(
        'ERR_EMBED_INVALID_ARGUMENT',
        `Expected 'query' or 'document' for inputType, as ${embedder.info.model} has a prompt for each, but received nothing`,
      );
    }
    return values.length === 1 ? 'query' : 'document';
  };
  return {
    specificationVersion: 'v3',
    provider: PROVIDER,
    modelId: embedder.info.model,
    maxEmbeddingsPerCall: Infinity,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal, providerOptions }) {
      const inputType = inputTypeOf(values, providerOptions?.[PROVIDER]?.['inputType'] ?? options.inputType);
      const { vectors, tokenCounts } = await roles.embed(inputType, values, withSignal(abortSignal));
      const tokens = tokenCounts.reduce((sum, count) => sum + Math.min(count, embedder.info.maxTokens), 0);
      return { embeddings: numbers(vectors), usage: { tokens }, warnings: [] };
    },
  };
}
