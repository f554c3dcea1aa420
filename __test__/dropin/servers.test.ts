// The kinds that speak HTTP, against servers in processes of their own: what is sent, and what is made of each failure.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';
import {
  createProductionFactory,
  CustomEmbedder,
  OllamaEmbedder,
  SidecarEmbedder,
  type EmbedFunction,
  type ManagedEmbedder,
  type SidecarConfig,
} from 'sentence-embedder';
import { rejection } from '../support/expectations';
import { modelFolder } from '../support/fixtures';
import { block, runScript, SLOWNESS } from '../support/processes';
import { freePort, recorder, serverAt, serverScript, startServer, type Server } from './support';

const texts = Array.from({ length: 100 }, (_, i) => `${String(i)} `.padEnd(250, 'long '));
/** A certificate that nobody trusts, with its key: made with `openssl req -x509 -nodes`, valid for 100 years. */
const SELF_SIGNED = join(__dirname, 'servers', 'self-signed.pem');
let server: Server;
let ollama: Server;
const embedders: ManagedEmbedder[] = [];
const stops: (() => Promise<void>)[] = [];

const sidecar = (config: SidecarConfig = {}): SidecarEmbedder => {
  const embedder = new SidecarEmbedder({ retryDelay: 5, sidecar: { url: server.url }, ...config });
  embedders.push(embedder);
  return embedder;
};

beforeEach(async () => {
  [server, ollama] = await Promise.all([startServer('sidecar'), startServer('ollama')]);
});
afterEach(async () => {
  await Promise.all(embedders.splice(0).map((embedder) => embedder.shutdown()));
  await Promise.all([server.stop(), ollama.stop(), ...stops.splice(0).map((stop) => stop())]);
});

describe('sidecar', () => {
  test('is asked as it always was: one request at a time, over one connection', async () => {
    const embedder = sidecar({ normalizeVectors: false });
    expect(await embedder.initialize()).toBe(true);
    const [vectors] = await Promise.all([embedder.embed(texts), embedder.embed(['a', 'b'])]);
    expect(Math.hypot(...(vectors[0] ?? []))).toBeCloseTo(2);
    const { requests, batches, connections, most } = await server.seen();
    expect(requests.slice(0, 3)).toEqual(['GET /health', 'GET /info', 'POST /embed']);
    expect(batches.map(({ texts: batch }) => (batch as string[]).length)).toEqual([32, 32, 32, 4, 2]);
    expect(batches[4]).toEqual({ texts: ['a', 'b'], normalize: false, pooling: 'mean', batch_size: 2 });
    expect({ most, connections }).toEqual({ most: 1, connections: 2 }); // the second is that of this question
    expect(embedder.getStats().memoryUsage).toBeUndefined();
  });

  test('is tried again twice, also where it is busy, and never where it refuses what was asked', async () => {
    const embedder = sidecar();
    await embedder.initialize();
    await server.control({ fail: { status: 500, times: 2 } });
    expect(await embedder.embed(['a'])).toHaveLength(1);
    await server.control({ drop: 2 });
    expect(await embedder.embed(['a'])).toHaveLength(1);
    for (const status of [408, 425, 429]) {
      await server.control({ fail: { status, times: 2 } });
      expect(await embedder.embed(['a'])).toHaveLength(1);
    }
    const before = (await server.seen()).batches.length;
    for (const status of [400, 401, 403]) {
      await server.control({ fail: { status, times: 1 } });
      await rejection(embedder.embedWithRetry(['a'], 5), 'ERR_EMBED_INVALID_ARGUMENT');
    }
    await server.control({ fail: { status: 422, times: 1 } });
    const refused = await rejection(embedder.embedWithRetry(['a'], 5), 'ERR_EMBED_INVALID_ARGUMENT');
    expect(refused.message).toMatch(/\/embed answered 422: .*as the test wanted it/);
    await server.control({ fail: { status: 500, times: 9 } });
    await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE');
    expect((await server.seen()).batches.length - before).toBe(3 + 1 + 3);
  });

  test('that answers too late or is aborted', async () => {
    const embedder = sidecar({ timeout: 30, retries: 0 });
    await embedder.initialize();
    await server.control({ delayMs: 300 });
    await rejection(embedder.embed(['a']), 'ERR_EMBED_TIMEOUT');
    const controller = new AbortController();
    const call = embedder.embedTyped(['a'], { signal: controller.signal });
    controller.abort('enough');
    expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toBe('enough');
  });

  test.each(['sidecar', 'custom'])('that answers while this thread is blocked is in time: %s', async (kind) => {
    const embed: EmbedFunction = async (given, { signal }) => {
      const body = JSON.stringify({ texts: given, normalize: true, pooling: 'mean', batch_size: given.length });
      const response = await fetch(`${server.url}/embed`, { method: 'POST', body, signal });
      return ((await response.json()) as { vectors: number[][] }).vectors;
    };
    const config = { timeout: 1000, retries: 0 };
    const embedder =
      kind === 'sidecar' ? sidecar(config) : new CustomEmbedder({ ...config, custom: { embed, fingerprint: 'mine' } });
    embedders.push(embedder);
    await embedder.initialize();
    const { length } = (await server.seen()).batches;
    await server.control({ delayMs: 200 });
    const call = embedder.embed(['a', 'b']);
    while ((await server.seen()).batches.length === length) await new Promise((resolve) => setTimeout(resolve, 5));
    block(1500);
    expect(await call).toHaveLength(2);
  });

  test.each([
    ['too few', { vectors: [[1]] }, /Expected 2 vectors from .* but received 1/],
    ['none', { vektors: [] }, /received none/],
    ['of other lengths', { vectors: [[1, 2], [3]] }, /of 2 numbers instead of 24 at index 0/],
    ['not of numbers', { vectors: [Array(24).fill('x'), []] }, /something else at index 0/],
    ['with a null for NaN', { vectors: [Array(24).fill(null), []] }, /something else at index 0/],
    ['too large for 32 bits', { vectors: [Array(24).fill(1e300), []] }, /a number that is not finite/],
    ['null', null, /received none/],
  ])('that answers with vectors that are wrong: %s', async (_, answer, message) => {
    const embedder = sidecar({ retries: 0 });
    await embedder.initialize();
    await server.control({ answer });
    expect((await rejection(embedder.embed(['a', 'b']), 'ERR_EMBED_INFERENCE')).message).toMatch(message);
  });

  test('that does not answer: a restart takes the call to the fresh session', async () => {
    await expectHandedOver(sidecar({ drainTimeout: 10, timeout: 300_000, retries: 0 }), server);
  });

  test('is waited for while it loads', async () => {
    const slow = await startServer('sidecar', ['--loading-ms', '400']);
    stops.push(slow.stop);
    const { onEvent, words } = recorder();
    const embedder = sidecar({ sidecar: { url: slow.url }, onEvent });
    expect(await embedder.initialize()).toBe(true);
    expect(words()).toEqual(['checking', 'loading', 'ready']);
    const never = await startServer('sidecar', ['--loading-ms', '60000']);
    stops.push(never.stop);
    const hasty = sidecar({ sidecar: { url: never.url, startTimeout: 50 } });
    expect(await hasty.initialize()).toBe(false);
    expect(hasty.lastError).toMatchObject({ code: 'ERR_EMBED_TIMEOUT' });
  });

  test('that is not there, or has another model', async () => {
    const nobody = sidecar({ sidecar: { url: `http://127.0.0.1:${String(await freePort())}` } });
    expect(await nobody.initialize()).toBe(false);
    expect(nobody.lastError).toMatchObject({ code: 'ERR_EMBED_RUNTIME_NOT_FOUND' });
    const other = sidecar({ modelName: 'sentence-transformers/all-MiniLM-L6-v2' });
    expect(await other.initialize()).toBe(false);
    expect(other.lastError?.message).toMatch(/has the model .*paraphrase-multilingual.*, not .*all-MiniLM/);
    const named = { url: server.url, model: 'paraphrase-multilingual-mpnet-base-v2' };
    expect(await sidecar({ modelName: './resources/model', sidecar: named }).initialize()).toBe(true);
    const folder = './models/paraphrase-multilingual-mpnet-base-v2/';
    expect(await sidecar({ modelName: folder }).initialize()).toBe(true);
    const tiny = await startServer('sidecar', ['--model', 'bert']);
    stops.push(tiny.stop);
    const relativeFolder = relative('.', modelFolder('bert'));
    expect(relativeFolder).toMatch(/^\w/);
    expect(await sidecar({ modelName: relativeFolder, sidecar: { url: tiny.url } }).initialize()).toBe(true);
    const foreign = sidecar({ sidecar: { url: ollama.url } });
    expect(await foreign.initialize()).toBe(false);
    expect(foreign.lastError?.message).toMatch(/\/health answered 404/);
  });

  test('that can never be reached is not waited for, and the next kind is tried', async () => {
    const pem = readFileSync(SELF_SIGNED);
    const secure = createServer({ key: pem, cert: pem }).listen(0, '127.0.0.1');
    stops.push(() => new Promise((resolve) => secure.close(() => { resolve(); }))); // prettier-ignore
    await once(secure, 'listening');
    const { port } = secure.address() as AddressInfo;
    for (const [url, reason] of [
      [`https://127.0.0.1:${String(port)}`, /DEPTH_ZERO_SELF_SIGNED_CERT/],
      [server.url.replace('http:', 'https:'), /ERR_SSL_/],
      ['http://127.0.0.1:6000', /bad port/],
    ] as const) {
      const { events, onEvent } = recorder();
      const factory = createProductionFactory({ kind: 'sidecar', sidecar: { url }, fallback: ['test'], onEvent });
      const embedder = factory.create();
      expect(await embedder.initialize()).toBe(true);
      expect(embedder.kind).toBe('test');
      const message = expect.stringMatching(reason) as string;
      const error = { code: 'ERR_EMBED_INVALID_ARGUMENT', message };
      expect(events.find(({ type }) => type === 'fallback')).toMatchObject({ error });
      await embedder.shutdown();
    }
  });

  describe('that the embedder starts', () => {
    const own = async (...args: string[]): Promise<{ url: string; config: SidecarConfig }> => {
      const port = String(await freePort());
      const url = `http://127.0.0.1:${port}`;
      const command = { file: process.execPath, args: [serverScript('sidecar'), '--port', port, ...args] };
      return { url, config: { sidecar: { url, command } } };
    };

    test('tells its progress, is started anew when it has died, and ends at the shutdown', async () => {
      const { url, config } = await own('--loading-ms', '100');
      const { events, onEvent, words } = recorder();
      const embedder = sidecar({ ...config, onEvent });
      expect(await embedder.initialize()).toBe(true);
      expect([...new Set(words())]).toEqual(['checking', 'downloading', 'loading', 'ready']);
      const expected = await embedder.embed(['a']);
      await serverAt(url).control({ exit: true });
      expect(await embedder.embed(['a'])).toEqual(expected);
      expect(events.filter(({ type }) => type === 'restart')).toMatchObject([{ reason: 'failure', attempt: 1 }]);
      await embedder.shutdown();
      await expect(fetch(`${url}/health`)).rejects.toThrow();
    });

    test('and that ends at once: with its own words', async () => {
      const { config } = await own('--broken');
      const embedder = sidecar(config);
      expect(await embedder.initialize()).toBe(false);
      expect(embedder.lastError?.code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
      expect(embedder.lastError?.message).toMatch(/ended \(1\)\nModuleNotFoundError/);
      const missing = sidecar({ sidecar: { ...config.sidecar, command: { file: '/nowhere/python' } } });
      expect(await missing.initialize()).toBe(false);
      expect(missing.lastError?.message).toMatch(/\/nowhere\/python cannot be started/);
    });

    test('and whose certificate is not accepted is not waited for, and ended', async () => {
      const { url, config } = await own();
      const script = `
        const pem = require('node:fs').readFileSync(${JSON.stringify(SELF_SIGNED)});
        require('node:https').createServer({ key: pem, cert: pem }).listen(${new URL(url).port}, '127.0.0.1');`;
      const command = { file: process.execPath, args: ['-e', script] };
      const embedder = sidecar({ sidecar: { ...config.sidecar, url: url.replace('http:', 'https:'), command } });
      expect(await embedder.initialize()).toBe(false);
      expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_INVALID_ARGUMENT' });
      await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    });

    test('is not waited for when its own children hold its output', async () => {
      const { config } = await own();
      const script = `
        require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, ${String(8000 * SLOWNESS)})'], { stdio: 'inherit' });
        process.exit(1);`;
      const embedder = sidecar({
        sidecar: { ...config.sidecar, command: { file: process.execPath, args: ['-e', script] } },
      });
      const started = performance.now();
      expect(await embedder.initialize()).toBe(false);
      expect(embedder.lastError?.message).toMatch(/ended \(1\)/);
      expect(performance.now() - started).toBeLessThan(6000 * SLOWNESS);
    });

    test('is not started where another server is busy', async () => {
      const { config } = await own();
      await server.control({ health: 503 });
      const embedder = sidecar({ sidecar: { ...config.sidecar, url: server.url, startTimeout: 600 } });
      expect(await embedder.initialize()).toBe(false);
      expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_TIMEOUT', cause: { code: 'ERR_EMBED_INFERENCE' } });
    });

    test('ends with this process', async () => {
      const { url, config } = await own();
      const script = `
        const embedder = new (require('sentence-embedder').SidecarEmbedder)(${JSON.stringify(config)});
        embedder.initialize().then((started) => { console.log(started); process.exit(0); });`;
      expect(runScript(script)).toMatchObject({ status: 0, stdout: 'true\n' });
      await expect(untilGone(url)).resolves.toBe(true);
    });
  });
});

describe('ollama', () => {
  const make = (config: object = {}): OllamaEmbedder => {
    const embedder = new OllamaEmbedder({ modelName: 'bge-m3', retryDelay: 5, ollama: { url: ollama.url }, ...config });
    embedders.push(embedder);
    return embedder;
  };

  test('is asked on /api/embed, and names its space by the digest of the model', async () => {
    const embedder = make();
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.space).toMatchObject({ kind: 'ollama', model: 'bge-m3', dimension: 24 });
    expect(embedder.space?.fingerprint).toBe('7907646426070047a77226ac3e684fbb');
    await embedder.embed(['a', 'b']);
    const { batches } = await ollama.seen();
    expect(batches).toEqual([{ model: 'bge-m3', input: ['probe'] }, { model: 'bge-m3', input: ['a', 'b'] }]); // prettier-ignore
  });

  test('without the model: says what to run, and is not asked again', async () => {
    const embedder = make({ ollama: { url: ollama.url, model: 'other' } });
    expect(await embedder.initialize()).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_MODEL_NOT_FOUND' });
    expect(embedder.lastError?.message).toMatch(/ollama pull other/);
    expect((await ollama.seen()).batches).toHaveLength(1);
  });

  test('is tried again when the connection broke', async () => {
    const embedder = make();
    await embedder.initialize();
    await ollama.control({ drop: 2 });
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('that does not answer: a restart takes the call to the fresh session', async () => {
    await expectHandedOver(make({ drainTimeout: 10, timeout: 300_000, retries: 0 }), ollama);
  });

  test('that is gone for good is reported after three attempts', async () => {
    const { events, onEvent } = recorder();
    const embedder = make({ onEvent });
    await embedder.initialize();
    await ollama.stop();
    const error = await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE');
    expect(error.cause).toMatchObject({ code: 'ERR_EMBED_RUNTIME_NOT_FOUND' });
    expect(events.filter(({ type }) => type === 'restart')).toHaveLength(3);
  });
});

/** Expects that a call that a server keeps for ever is answered by the next session. */
async function expectHandedOver(embedder: ManagedEmbedder, { control, seen }: Server): Promise<void> {
  await embedder.initialize();
  const before = (await seen()).batches.length;
  await control({ delayMs: 2 ** 31 - 1 });
  const call = embedder.embed(['a']);
  while ((await seen()).batches.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
  await control({});
  await embedder.restart();
  expect(await call).toHaveLength(1);
}

/** Whether nobody answers any more, within a while. */
async function untilGone(url: string): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    const answered = await fetch(`${url}/health`).then(() => true, () => false); // prettier-ignore
    if (!answered) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
