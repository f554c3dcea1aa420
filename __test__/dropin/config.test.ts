// The configuration of a drop-in embedder: what is wrong with it is said, and what counts is what it was when the embedder was made.

import { InProcessEmbedder, type InProcessConfig } from 'sentence-embedder';
import { modelFolder } from '../support/fixtures';
import { recorder } from './support';

const modelName = modelFolder('bert');

test('a wrong one makes the start answer false, with every mistake named', async () => {
  const { events, onEvent } = recorder();
  const embedder = new InProcessEmbedder({ batchSize: 0, timeuot: 5, onEvent } as never);
  expect(await embedder.initialize()).toBe(false);
  expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_INVALID_ARGUMENT' });
  expect(embedder.lastError?.message).toMatch(
    /config\.batchSize but received number 0; .*config\.timeuot \(number 5\)/,
  );
  expect(events).toHaveLength(1);
  expect(await new InProcessEmbedder(null as never).initialize()).toBe(false);
});

test('its options of the load reach the load', async () => {
  const embedder = new InProcessEmbedder({ modelName, load: { maxTokens: 7, threads: 1 } });
  await embedder.initialize();
  expect(embedder.embedder?.info).toMatchObject({ maxTokens: 7, threads: 1 });
  await embedder.shutdown();
});

test('its options count as they were when the embedder was made, also at a restart, and with what they inherit', async () => {
  const load = { maxTokens: 7 };
  const config = Object.assign(Object.create({ modelName, batchSize: 0 }) as InProcessConfig, {
    batchSize: 4,
    load,
  });
  const embedder = new InProcessEmbedder(config);
  await embedder.initialize();
  const { space } = embedder;
  Object.assign(load, { maxTokens: 9 });
  Object.assign(config, { modelName: './nowhere', normalizeVectors: false, batchSize: 0 });
  await embedder.restart();
  expect(embedder.embedder?.info).toMatchObject({ maxTokens: 7 });
  expect(embedder.space).toEqual(space);
  await expect(embedder.embed(['a', 'b'])).resolves.toHaveLength(2);
  await embedder.shutdown();
});

test('it is read once, so that what has been checked cannot change', async () => {
  const config = Object.defineProperty({ modelName, onEvent: () => undefined }, 'batchSize', {
    enumerable: true,
    get() {
      Object.assign(this as object, { onEvent: 'none' });
      return 4;
    },
  });
  const embedder = new InProcessEmbedder(config);
  expect(await embedder.initialize()).toBe(true);
  await embedder.shutdown();
});
