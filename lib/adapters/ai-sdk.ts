/** `sentence-embedder/ai-sdk`: an embedder as an embedding model of the AI SDK, for `embed` and `embedMany`. */

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
   * What the values are. `providerOptions: { 'sentence-embedder': { inputType } }` overrides it for one call.
   * @defaultValue one value is taken for a query and more for documents, which decides their lane; for a model with
   * prompts that would decide the vectors too, and is refused with `ERR_EMBED_INVALID_ARGUMENT`
   */
  inputType?: InputType;
  /**
   * Which specification the model says it is of. AI SDK 6 refuses any later than `'v3'`; AI SDK 7 takes both.
   * @defaultValue `'v4'`, which is the current one
   */
  specificationVersion?: Version;
}

/** The specifications of the AI SDK that a model can be of. For embeddings they differ in `dimensions` alone, which v4 has. */
export type SpecificationVersion = 'v3' | 'v4';

/**
 * The model that `embed` and `embedMany` take: `EmbeddingModelV4` of `@ai-sdk/provider`, or `EmbeddingModelV3`. It is written out
 * here: version 3 of that package does not know v4, and version 4 is an ES module, which types for CommonJS cannot import.
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

/** What the AI SDK gives to a model. */
export interface EmbedCall {
  values: string[];
  /** How long the vectors are to be: a length in `info.matryoshkaDimensions`, as {@link truncateDimensions} cuts them. */
  dimensions?: number;
  abortSignal?: AbortSignal;
  /** Of these the model reads `{ 'sentence-embedder': { inputType } }`. */
  providerOptions?: Record<string, Record<string, unknown>>;
}

/** What a model gives back. */
export interface EmbedAnswer {
  embeddings: number[][];
  usage: { tokens: number };
  warnings: [];
}

/**
 * An embedding model over an `Embedder`, which stays the caller's to close. All values of an `embedMany` go to the embedder at
 * once; `abortSignal` is passed on; `usage.tokens` counts the tokens that the model read.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for unknown options and wrong values, and `ERR_EMBED_MODEL_INVALID` when the prompts of the
 * model cannot be used.
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
        `Expected 'query' or 'document' for inputType, as ${info.model} has a prompt for each, but received nothing: give a call ` +
          `providerOptions: { '${PROVIDER}': { inputType: 'query' } }, or make a model for each, as sentenceEmbedder(embedder, ` +
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
