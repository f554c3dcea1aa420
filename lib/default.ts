/** The two functions that need no embedder: they share one, which is loaded with the defaults on first use. */

import { answer, waitFor } from './abort.js';
import { Embedder, MANY, ONE } from './embedder.js';
import { nativeAddon, type CallDefaults } from './native.js';
import type { EmbedOptions } from './types.js';

let loading: Promise<Embedder> | undefined;

/** The one default embedder of this process. A load that failed is forgotten, so that the next call tries again. */
function defaultEmbedder(): Promise<Embedder> {
  loading ??= Embedder.load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/**
 * The default embedder, once the arguments of the call were found good: nothing is loaded for a call that cannot be made.
 */
async function embedderFor(
  texts: unknown,
  options: EmbedOptions | undefined,
  defaults: CallDefaults,
): Promise<Embedder> {
  await answer(async () => {
    nativeAddon().checkCall(texts, options, defaults);
    return Promise.resolve();
  });
  return waitFor(defaultEmbedder, options);
}

/**
 * Embeds one text with the default model, which the first call loads: see {@link LoadOptions.model}.
 *
 * Takes the options of {@link Embedder.embedOne}. `timeoutMs` does not include the time for loading. `signal` ends only
 * this call's wait for the load, which continues for other calls.
 *
 * Rejects as {@link Embedder.load} and {@link Embedder.embedOne} do.
 */
export async function embedOne(text: string, options?: EmbedOptions): Promise<Float32Array> {
  const embedder = await embedderFor([text], options, ONE);
  return embedder.embedOne(text, options);
}

/**
 * Embeds an array of texts with the default model, which the first call loads: see {@link embedOne} of this module and
 * {@link Embedder.embedBatch}.
 */
export async function embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]> {
  const asCalled = Array.isArray(texts) ? (texts.slice() as readonly string[]) : texts; // loading takes a while
  const embedder = await embedderFor(asCalled, options, MANY);
  return embedder.embedBatch(asCalled, options);
}
