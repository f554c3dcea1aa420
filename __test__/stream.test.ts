// `embedStream`: order, how far it reads ahead, and that a source is closed or its error passed on.

import { Embedder } from 'sentence-embedder';
import { rejection } from './support/expectations';
import { modelFolder } from './support/fixtures';

let embedder: Embedder;
beforeAll(async () => {
  embedder = await Embedder.load({ model: modelFolder('bert'), prepare: false });
});
afterAll(() => embedder.close());

/** Endless or bounded texts that say how many were taken and whether they were closed. */
function texts(total: number, failure?: Error) {
  const seen = { taken: 0, closed: false };
  async function* source(): AsyncGenerator<string> {
    try {
      while (seen.taken < total) yield Promise.resolve(`text ${String(seen.taken++)}`);
      if (failure) throw failure;
    } finally {
      seen.closed = true;
    }
  }
  return { seen, source: source() };
}

test('every vector once, in order, the last batch not full', async () => {
  const expected = await embedder.embedBatch(Array.from({ length: 23 }, (_, i) => `text ${String(i)}`));
  let count = 0;
  for await (const { index, vector } of embedder.embedStream(texts(23).source, { batchSize: 5 })) {
    expect(index).toBe(count);
    expected[index]!.forEach((value, i) => {
      expect(vector[i]).toBeCloseTo(value, 5);
    });
    count += 1;
  }
  expect(count).toBe(23);
});

test('no more than a batch is read ahead, and leaving the loop closes the source', async () => {
  const { seen, source } = texts(Infinity);
  for await (const { index } of embedder.embedStream(source, { batchSize: 8 })) {
    expect(seen.taken - index).toBeLessThanOrEqual(8);
    if (index === 50) break;
  }
  expect(seen.closed).toBe(true);
});

test('an error of the source rejects, and the embedder stays usable', async () => {
  const failure = new Error('the disk is gone');
  const { source } = texts(3, failure);
  await expect(embedder.embedStream(source).next()).rejects.toBe(failure);
  expect(await embedder.embedOne('a')).toHaveLength(embedder.info.dimension);
});

test('a refused batch closes the source', async () => {
  const { seen, source } = texts(Infinity);
  await rejection(
    embedder.embedStream(source, { batchSize: 2, signal: AbortSignal.abort() }).next(),
    'ERR_EMBED_ABORTED',
  );
  expect(seen.closed).toBe(true);
});

test('what is no text is named by its place in the source', async () => {
  const drained = async (source: unknown): Promise<void> => {
    for await (const { vector } of embedder.embedStream(source as string[], { batchSize: 2 })) {
      expect(vector).toBeDefined();
    }
  };
  const wrong = await rejection(drained(['a', 'b', 'c', 4, 'd']), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(wrong.message).toBe('Expected a string for element 3 of source but received number 4');
});

test('a string is no source, though it is an iterable of its characters', async () => {
  const { message } = await rejection(embedder.embedStream('abc').next(), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(message).toBe('Expected an iterable of strings for source but received string "abc"');
});

test.each([0, 1.5, NaN, 65_537])('batchSize %p is refused', async (batchSize) => {
  await rejection(embedder.embedStream(['a'], { batchSize }).next(), 'ERR_EMBED_INVALID_ARGUMENT');
});

test('options are checked although there is nothing to embed', async () => {
  const priority = 'urgent' as 'bulk';
  await rejection(embedder.embedStream([], { priority }).next(), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(await embedder.embedStream([]).next()).toEqual({ done: true, value: undefined });
});
