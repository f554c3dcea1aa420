/** The two functions that need no embedder: they share one, which is loaded with the defaults on first use. */

import { waitFor } from './abort.js';
import { Embedder } from './embedder.js';
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
 * Embeds one text with the default model, which the first call loads: see {@link LoadOptions.model}.
 *
 * The options are those of {@link Embedder.embedOne}. `timeoutMs` does not count the time that loading takes; `signal`
 * ends this call's wait for it, while the load goes on for others.
 *
 * Rejects as {@link Embedder.load} and {@link Embedder.embedOne} do.
 */
export async function embedOne(text: string, options?: EmbedOptions): Promise<Float32Array> {
  const embedder = await waitFor(defaultEmbedder(), options);
  return embedder.embedOne(text, options);
}

/**
 * Embeds a list of texts with the default model, which the first call loads: see {@link embedOne} of this module and
 * {@link Embedder.embedBatch}.
 */
export async function embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]> {
  const asCalled = Array.isArray(texts) ? (texts.slice() as readonly string[]) : texts; // loading takes a while
  const embedder = await waitFor(defaultEmbedder(), options);
  return embedder.embedBatch(asCalled, options);
}
