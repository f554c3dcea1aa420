/** Embeds texts as they come, a batch at a time, so that memory does not grow with their number. */

import { embedError } from './errors.js';
import type { EmbedOptions, StreamedVector, StreamOptions } from './types.js';

/** Texts a batch unless the caller says otherwise: enough for the native side to sort by length. */
const BATCH_SIZE = 256;
const MAX_BATCH_SIZE = 65_536;

type EmbedBatch = (texts: readonly string[], options: EmbedOptions) => Promise<Float32Array[]>;

/** What `Embedder.embedStream` does, over its `embedBatch`. */
export async function* embedStream(
  source: AsyncIterable<string> | Iterable<string>,
  { batchSize = BATCH_SIZE, ...options }: StreamOptions,
  embedBatch: EmbedBatch,
): AsyncGenerator<StreamedVector, void, undefined> {
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > MAX_BATCH_SIZE) {
    throw embedError(
      'ERR_EMBED_INVALID_ARGUMENT',
      `Expected a whole number from 1 to ${String(MAX_BATCH_SIZE)} for options.batchSize but received ${String(batchSize)}`,
    );
  }
  let next = 0;
  let texts: string[] = [];
  const flush = async function* (): AsyncGenerator<StreamedVector, void, undefined> {
    const batch = texts;
    texts = [];
    for (const vector of await embedBatch(batch, options)) yield { index: next++, vector };
  };
  // The loop closes the source when the caller stops or a batch is refused.
  for await (const text of source) {
    texts.push(text);
    if (texts.length === batchSize) yield* flush();
  }
  if (texts.length > 0) yield* flush();
}
