/** Embeds texts as they come, a batch at a time, so that memory does not grow with their number. */

import { describe, embedError } from './errors.js';
import type { EmbedOptions, StreamedVector, StreamOptions } from './types.js';

/** Texts a batch unless the caller says otherwise: enough for the native side to sort by length. */
const BATCH_SIZE = 256;
const MAX_BATCH_SIZE = 65_536;

type EmbedBatch = (texts: readonly string[], options: EmbedOptions) => Promise<Float32Array[]>;

/** What `Embedder.embedStream` does, over its `embedBatch`. */
export async function* embedStream(
  source: AsyncIterable<string> | Iterable<string>,
  given: StreamOptions,
  embedBatch: EmbedBatch,
): AsyncGenerator<StreamedVector, void, undefined> {
  expect(
    typeof given === 'object' && (given as unknown) !== null && !Array.isArray(given),
    'an object',
    'options',
    given,
  );
  const { batchSize = BATCH_SIZE } = given;
  // Over what was given and not a copy of it, so that what it inherits counts.
  const options = Object.create(given, { batchSize: { value: undefined, enumerable: true } }) as EmbedOptions;
  const isSize = Number.isInteger(batchSize) && batchSize >= 1 && batchSize <= MAX_BATCH_SIZE;
  expect(isSize, `a whole number from 1 to ${String(MAX_BATCH_SIZE)}`, 'options.batchSize', batchSize);
  // A string is an iterable of its characters, which nobody means.
  const isSource = typeof source !== 'string' && isIterable(source);
  expect(isSource, 'an iterable of strings', 'source', source);
  let next = 0;
  // A loop that is left closes the generator that it is over, and that the source.
  for await (const texts of batches(source, batchSize)) {
    for (const vector of await embedBatch(texts, options)) yield { index: next++, vector };
  }
  if (next === 0) await embedBatch([], options); // which checks the options, also where there is nothing to embed
}

/** The texts of a source, `size` at a time. */
async function* batches(
  source: AsyncIterable<string> | Iterable<string>,
  size: number,
): AsyncGenerator<string[], void, undefined> {
  let texts: string[] = [];
  let index = 0;
  for await (const text of source) {
    // Here, and not where a batch is checked, its place is known.
    expect(typeof text === 'string', 'a string', `element ${String(index)} of source`, text);
    index += 1;
    texts.push(text);
    if (texts.length < size) continue;
    yield texts;
    texts = [];
  }
  if (texts.length > 0) yield texts;
}

function expect(isRight: boolean, expected: string, what: string, received: unknown): void {
  if (isRight) return;
  const message = `Expected ${expected} for ${what} but received ${describe(received)}`;
  throw embedError('ERR_EMBED_INVALID_ARGUMENT', message);
}

function isIterable(source: unknown): boolean {
  if (source === null || source === undefined) return false;
  const it = source as Partial<AsyncIterable<string> & Iterable<string>>;
  return typeof it[Symbol.asyncIterator] === 'function' || typeof it[Symbol.iterator] === 'function';
}
