/** `sentence-embedder/ai-sdk`: an embedding model for `embed` and `embedMany` of the AI SDK. */

import { problemsIn, word } from '../checks.js';
import { truncateDimensions } from '../vectors.js';
import { checkOptions, numbers, refuse, Roles, withSignal } from './roles.js';
import type { AdapterOptions, EmbedderLike, InputType } from './types.js';

export type * from './types.js';

/** The provider's name, and the key of its `providerOptions`. */
const PROVIDER = 'sentence-embedder';
const inputTypes = word('query', 'document');
const OPTIONS = { inputType: inputTypes, specificationVersion: word('v3', 'v4') };

/** Options of {@link sentenceEmbedder}. */
export interface EmbeddingModelOptions<Version extends SpecificationVersion = 'v4'> extends AdapterOptions {
  /**
   * The role of the values. `providerOptions: { 'sentence-embedder': { inputType } }` overrides it for one call.
   * @defaultValue a single value is a query, several are documents; this only affects their lane. If the model has prompts,
   * it would also affect the vectors, so the call rejects with `ERR_EMBED_INVALID_ARGUMENT`
   */
  inputType?: InputType;
  /**
   * The specification version that the model declares. AI SDK 6 accepts only `'v3'`; AI SDK 7 accepts both.
   * @defaultValue `'v4'`, the current one
   */
  specificationVersion?: Version;
}

/** The specification versions of AI SDK models. For embeddings they differ only in `dimensions`, which v4 has. */
export type SpecificationVersion = 'v3' | 'v4';

/**
 * The model for `embed` and `embedMany`: `EmbeddingModelV4` of `@ai-sdk/provider`, or `EmbeddingModelV3`. It is declared
 * here because version 3 of that package lacks v4, and version 4 is an ES module, which types for CommonJS cannot import.
 */
export interface SentenceEmbeddingModel<Version extends SpecificationVersion = 'v4'> {
  readonly specificationVersion: Version;
  readonly provider: string;
  /** The name of the embedder's model. */
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  /** What `embed` and `embedMany` call. */
  doEmbed(options: EmbedCall): Promise<EmbedAnswer>;
}

/** The arguments that the AI SDK passes to a model. */
export interface EmbedCall {
  values: string[];
  /** Length of the vectors: one in `info.matryoshkaDimensions`, to which {@link truncateDimensions} cuts them. */
  dimensions?: number;
  abortSignal?: AbortSignal;
  /** The model reads `{ 'sentence-embedder': { inputType } }` from these. */
  providerOptions?: Record<string, Record<string, unknown>>;
}

/** The result that a model returns. */
export interface EmbedAnswer {
  embeddings: number[][];
  usage: { tokens: number };
  warnings: [];
}

/**
 * Creates an embedding model over an `Embedder`, which you still have to close. All values of an `embedMany` go to the
 * embedder together; `abortSignal` is passed on; `usage.tokens` is the number of tokens that the model has read.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and invalid values, and `ERR_EMBED_MODEL_INVALID` if the model's
 * prompts cannot be used.
 *
 * @example
 * ```ts
 * import { embed } from 'ai';
 * import { Embedder } from 'sentence-embedder';
 * import { sentenceEmbedder } from 'sentence-embedder/ai-sdk';
 *
 * const embedder = await Embedder.load({ model: './models/all-MiniLM-L6-v2' });
 * const { embedding } = await embed({ model: sentenceEmbedder(embedder), value: 'a cat' });
 * ```
 */
export function sentenceEmbedder<Version extends SpecificationVersion = 'v4'>(
  embedder: EmbedderLike,
  options: EmbeddingModelOptions<Version> = {},
): SentenceEmbeddingModel<NoInfer<Version>> {
  // NoInfer, as AI SDK 6 asks for a model of v3 and would have the compiler believe that this is one.
  checkOptions(options, OPTIONS);
  const roles = new Roles(embedder, options.prompts);
  const { info } = embedder;
  const inputTypeOf = ({ values, providerOptions }: EmbedCall): InputType => {
    const ofCall = providerOptions?.[PROVIDER] ?? {};
    refuse(problemsIn(ofCall, { inputType: inputTypes }, `providerOptions['${PROVIDER}']`)[0]);
    const inputType = (ofCall['inputType'] as InputType | undefined) ?? options.inputType;
    if (inputType === undefined && roles.differ) {
      refuse(
        `Expected 'query' or 'document' for inputType, as ${info.model} has a prompt for each, but received nothing: pass ` +
          `providerOptions: { '${PROVIDER}': { inputType: 'query' } }, or make a model for each, such as sentenceEmbedder(embedder, ` +
          "{ inputType: 'query' })",
      );
    }
    return inputType ?? (values.length === 1 ? 'query' : 'document');
  };
  return {
    specificationVersion: options.specificationVersion ?? ('v4' as Version),
    provider: PROVIDER,
    modelId: info.model,
    maxEmbeddingsPerCall: Infinity,
    supportsParallelCalls: true,
    async doEmbed(call) {
      const { values, dimensions = info.dimension, abortSignal } = call;
      const { vectors, tokenCounts } = await roles.embed(inputTypeOf(call), values, withSignal(abortSignal));
      const cut = dimensions === info.dimension ? vectors : truncateDimensions(vectors, dimensions, { model: info });
      const tokens = tokenCounts.reduce((sum, count) => sum + Math.min(count, info.maxTokens), 0);
      return { embeddings: numbers(cut), usage: { tokens }, warnings: [] };
    },
  };
}
