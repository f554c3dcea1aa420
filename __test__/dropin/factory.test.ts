// The factory: which kind it makes, what it refuses, and how it falls back.

import {
  createProductionFactory,
  createTestFactory,
  EmbedderFactory,
  FallbackEmbedder,
  InProcessEmbedder,
  IsolatedEmbedder,
  OllamaEmbedder,
  readIndexStamp,
  SidecarEmbedder,
  writeIndexStamp,
  type FactoryConfig,
} from 'sentence-embedder';
import { TestEmbedder } from 'sentence-embedder/testing';
import { join } from 'node:path';
import { rejection } from '../support/expectations';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { freePort, recorder, startServer, type Server } from './support';

let sidecar: Server;
const parent = temporaryFolder();

beforeAll(async () => {
  sidecar = await startServer('sidecar');
});
afterAll(async () => {
  await sidecar.stop();
});

test('makes the kind that one word names', () => {
  const config = { modelName: 'bge-m3' };
  expect(createProductionFactory().create()).toBeInstanceOf(InProcessEmbedder);
  expect(createProductionFactory({ kind: 'isolated', load: { threads: 1 } }).create()).toBeInstanceOf(IsolatedEmbedder);
  expect(createProductionFactory({ kind: 'sidecar' }).create()).toBeInstanceOf(SidecarEmbedder);
  expect(createProductionFactory({ ...config, kind: 'ollama' }).create()).toBeInstanceOf(OllamaEmbedder);
  expect(createTestFactory().create()).toBeInstanceOf(TestEmbedder);
  expect(createTestFactory({ kind: 'native' }).create()).toBeInstanceOf(InProcessEmbedder);
  expect(new EmbedderFactory().create().kind).toBe('native');
});

test('takes options of kinds that it does not name, so that the way back is one word', () => {
  const options = { load: { threads: 1 }, sidecar: { url: 'http://localhost:1' }, ollama: { model: 'bge-m3' } };
  for (const kind of ['native', 'isolated', 'sidecar', 'ollama'] as const) {
    expect(createProductionFactory({ ...options, kind }).create().kind).toBe(kind);
  }
});

test('an undefined kind is the default of the factory', () => {
  const kind: FactoryConfig = { kind: undefined };
  expect(createTestFactory(kind).create().kind).toBe('test');
  expect(createProductionFactory(kind).create().kind).toBe('native');
});

test('options reach the embedder', async () => {
  const embedder = createTestFactory({ dimension: 5, maxFilesBeforeRestart: 1 }).create();
  await embedder.initialize();
  expect((await embedder.embed(['a']))[0]).toHaveLength(5);
  expect(await embedder.shouldRestart()).toBe(true);
});

test.each<[object, RegExp]>([
  [{ kind: 'nativ' }, /'native' or 'isolated' or .* for config\.kind but received string "nativ"/],
  [{ batchsize: 32 }, /only known names in config but received config\.batchsize \(number 32\)/],
  [{ batchSize: 32.5 }, /a whole number from 1 to 4096 for config\.batchSize but received number 32\.5/],
  [{ timeout: '30s' }, /for config\.timeout but received string "30s"/],
  [{ normalizeVectors: 1 }, /true or false for config\.normalizeVectors/],
  [{ modelName: '' }, /a non-empty string for config\.modelName/],
  [{ onEvent: 'log' }, /a function for config\.onEvent/],
  [{ fallback: 'sidecar' }, /an array of kinds for config\.fallback/],
  [{ fallback: ['python'] }, /config\.fallback\[0\] but received string "python"/],
  [{ fallback: ['sidecar', 'native'] }, /each kind once but received string "native" twice/],
  [{ kind: 'ollama' }, /the name of Ollama's model for config\.ollama\.model/],
  [{ fallback: ['ollama'], modelName: 'bge-m3' }, /the name of Ollama's model/],
  [{ kind: 'custom' }, /both embed and fingerprint for config\.custom/],
  [{ sidecar: { url: 'localhost:1' } }, /an http or https address .* for config\.sidecar\.url/],
  [{ load: { model: 'm' } }, /an object without model, which other options set, for config\.load/],
  [{ kind: 'sidecar', sidecar: { url: 'localhost:8421' } }, /an http or https address .* for config\.sidecar\.url/],
  [{ sidecar: { url: 'http://localhost:1/?a=b' } }, /an http or https address without .* for config\.sidecar\.url/],
  [{ ollama: { url: 'http://localhost:1#a' } }, /an http or https address without .* for config\.ollama\.url/],
  [{ sidecar: { url: 'http://me@localhost:1' } }, /but received string "http:\/\/…@localhost:1"/],
  [{ sidecar: { url: 'http://:secret@localhost:1' } }, /but received string "http:\/\/…@localhost:1"/],
  [
    { sidecar: { url: `http://me:${'secret'.repeat(9)}@localhost:99999` } },
    /received string "http:\/\/…@localhost:99999"/,
  ],
  [{ sidecar: { url: 'http:me:sec/ret@localhost:1' } }, /but received string "http:…@localhost:1"/],
  [{ kind: 'sidecar', sidecar: { port: 8421 } }, /received config\.sidecar\.port/],
  [{ kind: 'sidecar', sidecar: { command: { args: [] } } }, /a program for config\.sidecar\.command\.file/],
  [{ kind: 'test', dimension: 0 }, /for config\.dimension but received number 0/],
])('validateConfig refuses %j', (config, message) => {
  const factory = new EmbedderFactory(config);
  const { valid, errors } = factory.validateConfig();
  expect(valid).toBe(false);
  expect(errors).toEqual([expect.stringMatching(message)]);
  expect(() => factory.create()).toThrow(expect.objectContaining({ code: 'ERR_EMBED_INVALID_ARGUMENT' }) as Error);
});

test.each([null, 5, 'native', []])('a configuration that is %p is refused', (config) => {
  for (const make of [createProductionFactory, createTestFactory, (it: FactoryConfig) => new EmbedderFactory(it)]) {
    expect(() => make(config as never)).toThrow(
      expect.objectContaining({ code: 'ERR_EMBED_INVALID_ARGUMENT' }) as Error,
    );
  }
});

test('a fallback without a prototype is a list like any other', () => {
  const fallback = Object.setPrototypeOf(['native'], null) as [];
  expect(createTestFactory({ fallback }).create().kind).toBe('test');
});

test('validateConfig takes every option', () => {
  const config: FactoryConfig = {
    kind: 'native',
    ...{ modelName: 'm', batchSize: 4096, normalizeVectors: false, onEvent: () => undefined },
    ...{ timeout: 2_147_483_647, retries: 0, retryDelay: 0, drainTimeout: 0 },
    ...{ autoStart: false, autoRestart: false, maxFilesBeforeRestart: 1, maxMemoryMB: 1 },
    load: { threads: 1 },
    fallback: ['isolated', 'sidecar', 'ollama', 'custom', 'test'],
    indexDir: '/index',
    sidecar: {
      url: 'http://localhost:8421',
      startTimeout: 1,
      pooling: 'cls',
      command: { file: 'python', args: ['x'] },
    },
    ollama: { url: 'http://localhost:11434', model: 'bge-m3' },
    custom: { embed: () => Promise.resolve([]), fingerprint: 'x', close: () => Promise.resolve() },
    dimension: 3,
  };
  expect(new EmbedderFactory(config).validateConfig()).toEqual({ valid: true, errors: [] });
});

describe('fallback', () => {
  const config = (indexDir?: string): FactoryConfig => ({
    modelName: 'sentence-transformers/paraphrase-multilingual-mpnet-base-v2',
    load: { offline: true, cacheDir: join(parent, 'empty cache') },
    sidecar: { url: sidecar.url },
    fallback: ['sidecar'],
    ...(indexDir === undefined ? {} : { indexDir }),
  });

  test('takes the next kind when the first cannot start, and says so', async () => {
    const { events, onEvent } = recorder();
    const embedder = createProductionFactory({ ...config(), onEvent }).create();
    expect(embedder).toBeInstanceOf(FallbackEmbedder);
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.kind).toBe('sidecar');
    expect(embedder.space?.kind).toBe('sidecar');
    const told = events.filter(({ type }) => type === 'fallback');
    expect(told).toMatchObject([{ from: 'native', to: 'sidecar' }]);
    expect(embedder.lastError).toBeUndefined();
    await embedder.restart();
    expect(embedder.kind).toBe('sidecar');
    await embedder.shutdown();
  });

  test('is not taken when the first kind starts', async () => {
    const embedder = createProductionFactory({ ...config(), modelName: modelFolder('bert') }).create();
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.kind).toBe('native');
    await embedder.shutdown();
  });

  test('is not taken when its vectors do not go with the index', async () => {
    const indexDir = join(parent, 'index');
    const former = createTestFactory().create();
    await former.initialize();
    await writeIndexStamp(indexDir, former);
    const embedder = createProductionFactory(config(indexDir)).create();
    expect(await embedder.initialize()).toBe(false);
    expect(embedder.lastError?.message).toMatch(/index was made with hash \(test\)/);
    expect(embedder.getStats().isReady).toBe(false);
    expect((await rejection(embedder.restart(), 'ERR_EMBED_MODEL_INVALID')).message).toMatch(/hash \(test\)/);
    await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
    expect(await readIndexStamp(indexDir)).toMatchObject({ kind: 'test' });
  });

  test('ends with false when no kind starts, and with the last reason', async () => {
    const url = `http://127.0.0.1:${String(await freePort())}`;
    const embedder = createProductionFactory({ ...config(), sidecar: { url } }).create();
    expect(await embedder.initialize()).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_RUNTIME_NOT_FOUND' });
  });

  test('is not tried when the start was cancelled', async () => {
    const { events, onEvent } = recorder();
    const embedder = createProductionFactory({ ...config(), onEvent }).create();
    expect(await embedder.initialize({ signal: AbortSignal.abort() })).toBe(false);
    expect(events.filter(({ type }) => type === 'fallback')).toEqual([]);
  });

  /** Fails to start until it is well, and then falls back to hashes. */
  const ailing = (more: FactoryConfig = {}): { embedder: FallbackEmbedder; heal: () => void } => {
    const state = { well: false };
    const custom = {
      fingerprint: 'mine',
      embed: (texts: readonly string[]) =>
        state.well ? Promise.resolve(texts.map(() => [1, 2])) : Promise.reject(new Error('ill')),
    };
    const embedder = createTestFactory({ kind: 'custom', custom, fallback: ['test'], ...more }).create();
    const heal = (): void => {
      state.well = true;
    };
    return { embedder: embedder as FallbackEmbedder, heal };
  };

  test('stays with the kind that has started, whatever starts later', async () => {
    const { embedder, heal } = ailing({ dimension: 4 });
    expect(embedder.kind).toBe('custom');
    expect(await embedder.initialize()).toBe(true);
    heal();
    await embedder.shutdown();
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.kind).toBe('test');
    expect((await embedder.embed(['a']))[0]).toHaveLength(4);
    await embedder.shutdown();
  });

  test('waits for the first call with autoStart: false', async () => {
    const { events, onEvent, words } = recorder();
    const { embedder } = ailing({ autoStart: false, onEvent });
    await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.getStats().isReady).toBe(true);
    expect(events).toEqual([]);
    const [one, two] = await Promise.all([embedder.embed(['a']), embedder.embed(['a'])]);
    expect(one).toEqual(two);
    expect(words()).toEqual(['checking', 'loading', 'error', 'fallback', 'checking', 'ready']);
    await embedder.shutdown();
  });

  test('is taken by a restart too', async () => {
    const { embedder } = ailing();
    await embedder.restart();
    expect(embedder.kind).toBe('test');
    await embedder.shutdown();
  });

  test('is not started by a start that a shutdown has ended', async () => {
    for (let ticks = 0; ticks < 60; ticks++) {
      const { embedder } = ailing();
      const started = embedder.initialize();
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      await embedder.shutdown();
      await started;
      expect(embedder.getStats().isReady).toBe(false);
      await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
    }
  });
});
