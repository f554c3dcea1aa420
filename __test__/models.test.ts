// Model folders of every shape: those that load give the reference vectors, the others are refused and say why.

import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Embedder, type LoadEvent } from 'sentence-embedder';
import { expectVectors, rejection } from './support/expectations';
import {
  makeVariant,
  modelFolder,
  reference,
  temporaryFolder,
  texts,
  variants,
  type Loads,
  type Refused,
} from './support/fixtures';

const folder = temporaryFolder();
const good = Object.entries(variants).flatMap(([name, { loads }]): [string, Loads][] => (loads ? [[name, loads]] : []));
const bad = Object.entries(variants).flatMap(([name, { refused }]): [string, Refused][] =>
  refused ? [[name, refused]] : [],
);

test.each(good)('%s loads and gives the reference vectors', async (name, loads) => {
  const embedder = await Embedder.load({ model: makeVariant(folder, name), ...loads.options });
  expect(embedder.info).toMatchObject(loads.info);
  if (loads.reference) {
    const { vectors, tokenCounts, tolerance, maxTokens } = reference(loads.reference);
    const answer = await embedder.embedDetailed(texts);
    expectVectors(answer.vectors, vectors, tolerance);
    expect([...answer.tokenCounts]).toEqual(tokenCounts);
    expect(answer.truncated).toEqual(tokenCounts.map((count) => count > maxTokens));
    expect([...(await embedder.countTokens(texts))]).toEqual(tokenCounts);
  }
  await embedder.close();
});

test.each(bad)('%s is refused, and the next load works', async (name, refused) => {
  const error = await rejection(
    Embedder.load({ model: makeVariant(folder, name) }),
    refused.code as 'ERR_EMBED_MODEL_INVALID',
  );
  const chain: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) chain.push(cause.message);
  for (const word of refused.names) expect(chain.join('\n')).toContain(word);
  await (await Embedder.load({ model: modelFolder('bert') })).close();
});

test('a model that fails while it runs rejects only the calls that it fails', async () => {
  const embedder = await Embedder.load({ model: makeVariant(folder, 'fails-at-run') });
  const [short, long] = ['a', 'a '.repeat(12)];
  const calls = [embedder.embedOne(short), embedder.embedOne(long), embedder.embedBatch([short, short])] as const;
  await expect(calls[0]).resolves.toHaveLength(4);
  const error = await rejection(calls[1], 'ERR_EMBED_INFERENCE');
  expect(error.cause).toBeInstanceOf(Error);
  await expect(calls[2]).resolves.toHaveLength(2);
  await expect(embedder.embedOne(short)).resolves.toHaveLength(4);
  expect(embedder.stats().failures).toBe(1);
  await embedder.close();
});

test('a folder that is not there', async () => {
  const model = join(folder, 'nowhere');
  const error = await rejection(Embedder.load({ model }), 'ERR_EMBED_MODEL_NOT_FOUND');
  expect(error.message).toContain(model);
  expect(error.cause).toBeInstanceOf(Error);
});

test('a file instead of a folder', async () => {
  await rejection(Embedder.load({ model: join(modelFolder('bert'), 'config.json') }), 'ERR_EMBED_MODEL_NOT_FOUND');
});

test('a path with spaces and letters of many scripts', async () => {
  const model = join(folder, 'a folder – Ωмодель 模型');
  cpSync(modelFolder('bert'), model, { recursive: true });
  const embedder = await Embedder.load({ model });
  const { vectors, tolerance } = reference('bert');
  expectVectors(await embedder.embedBatch(texts), vectors, tolerance);
  await embedder.close();
});

test('the folder may go once the model is loaded', async () => {
  const model = join(folder, 'short-lived');
  cpSync(modelFolder('bert'), model, { recursive: true });
  const embedder = await Embedder.load({ model });
  rmSync(model, { recursive: true });
  await expect(embedder.embedOne('a')).resolves.toHaveLength(32);
  await embedder.close();
});

test('info says what was loaded and where each value came from, and cannot be changed', async () => {
  const model = modelFolder('bert');
  const embedder = await Embedder.load({ model, threads: 1, maxTokens: 10, pooling: 'cls' });
  expect(embedder.info).toEqual({
    model: expect.any(String) as string,
    revision: null,
    path: model,
    modelFile: join(model, 'onnx', 'model.onnx'),
    dimension: 32,
    matryoshkaDimensions: [],
    maxTokens: 10,
    pooling: 'cls',
    normalize: true,
    precision: 'fp32',
    threads: 1,
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    sources: { maxTokens: 'option maxTokens', pooling: 'option pooling', normalize: 'modules.json' },
  });
  expect(Object.isFrozen(embedder.info) && Object.isFrozen(embedder.info.sources)).toBe(true);
  await embedder.close();
});

test('onProgress of a load is told when the model is opened and when it is ready', async () => {
  const events: LoadEvent[] = [];
  const model = modelFolder('bert');
  const options = { model, cacheDir: join(folder, 'cache') };
  // The first load of a model also tells that it prepares a copy.
  await (await Embedder.load(options)).close();
  const embedder = await Embedder.load({ ...options, onProgress: (event) => events.push(event) });
  expect(events).toEqual([
    { type: 'loading', model },
    { type: 'model_loaded', model, dimension: 32, loadTimeMs: expect.any(Number) as number, fromCache: true },
  ]);
  await embedder.close();
});
