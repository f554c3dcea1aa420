// Cancelling through an AbortSignal: at once, with the reason as cause, and without a trace on the signal.

import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Embedder } from 'sentence-embedder';
import { rejection } from './support/expectations';
import { modelFolder } from './support/fixtures';
import { miniLM } from './support/models';
import { SLOWNESS } from './support/processes';

const model = modelFolder('bert');
const many = Array.from({ length: 20_000 }, (_, i) => `text number ${String(i)}`);
let embedder: Embedder;

beforeAll(async () => {
  embedder = await Embedder.load({ model, threads: 1 });
});

afterAll(async () => {
  await embedder.close();
});

test('a signal that is aborted already rejects at once', async () => {
  const reason = new Error('the user went away');
  const options = { signal: AbortSignal.abort(reason) };
  for (const call of [
    embedder.embedOne('a', options),
    embedder.embedBatch(['a'], options),
    embedder.embedDetailed(['a'], options),
    Embedder.load({ model, ...options }),
  ]) {
    expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toBe(reason);
  }
});

test('aborting a call under way rejects it with the reason and leaves the others alone', async () => {
  const controller = new AbortController();
  const aborted = embedder.embedBatch(many, { signal: controller.signal });
  const other = embedder.embedBatch(['a', 'b']);
  const start = performance.now();
  controller.abort('enough');
  const error = await rejection(aborted, 'ERR_EMBED_ABORTED');
  expect(error.cause).toBe('enough');
  expect(performance.now() - start).toBeLessThan(1000 * SLOWNESS);
  await expect(other).resolves.toHaveLength(2);
});

test.each([
  ['its signal', 'ERR_EMBED_ABORTED'],
  ['its timeoutMs', 'ERR_EMBED_TIMEOUT'],
] as const)(
  'a call of a real model rejects within 100 ms of %s, and its run makes room for the next',
  async (ended, code) => {
    const real = await Embedder.load({ model: miniLM(), threads: 1 });
    const long = Array.from(
      { length: 64 },
      (_, i) => `${'seven words that need memory, time and '.repeat(60)}${String(i)}`,
    );
    const [settled, next]: [number[], number[]] = [[], []];
    // The best of five: a busy machine fails nothing. Some 1 and 20 ms are measured.
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController();
      const wait = 200 + 50 * i;
      const options = ended === 'its signal' ? { signal: controller.signal } : { timeoutMs: wait };
      const start = performance.now() + wait;
      const call = rejection(real.embedBatch(long, options), code);
      await sleep(wait);
      controller.abort();
      await call;
      settled.push(performance.now() - start);
      await real.embedBatch(['a']);
      next.push(performance.now() - start);
    }
    expect(Math.min(...settled)).toBeLessThan(100 * SLOWNESS);
    expect(Math.min(...next)).toBeLessThan(100 * SLOWNESS);
    await real.close();
  },
);

test('without a reason, the cause is the AbortError of the platform', async () => {
  const controller = new AbortController();
  const call = embedder.embedBatch(many, { signal: controller.signal });
  controller.abort();
  expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toMatchObject({ name: 'AbortError' });
});

test('a timeout signal works like any other', async () => {
  const call = embedder.embedBatch(many, { signal: AbortSignal.timeout(5) });
  expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toMatchObject({ name: 'TimeoutError' });
});

test('one signal ends many calls through one listener', async () => {
  const controller = new AbortController();
  const options = { signal: controller.signal };
  const calls = Array.from({ length: 50 }, () => embedder.embedBatch(many.slice(0, 2000), options));
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1); // Node warns of a leak at eleven
  controller.abort();
  await Promise.all(calls.map((call) => rejection(call, 'ERR_EMBED_ABORTED')));
});

test('no listener stays behind, however the call ends', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  await embedder.embedOne('a', { signal });
  await rejection(embedder.embedBatch([1] as never, { signal }), 'ERR_EMBED_INVALID_ARGUMENT');
  await rejection(embedder.embedBatch(many, { signal, timeoutMs: 1 }), 'ERR_EMBED_TIMEOUT');
  await (await Embedder.load({ model, signal })).close();
  await Promise.all([embedder.embedOne('a', { signal }), embedder.embedBatch(['a', 'b'], { signal })]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  controller.abort();
  await expect(embedder.embedOne('a')).resolves.toHaveLength(32);
});

test('a signal that is aborted while the options are read', async () => {
  const controller = new AbortController();
  const options = {
    signal: controller.signal,
    get timeoutMs(): number {
      controller.abort('already gone');
      return 60_000;
    },
  };
  expect((await rejection(embedder.embedBatch(many, options), 'ERR_EMBED_ABORTED')).cause).toBe('already gone');
});

test('aborting after the answer changes nothing', async () => {
  const controller = new AbortController();
  const vector = await embedder.embedOne('a', { signal: controller.signal });
  controller.abort();
  expect(vector).toEqual(await embedder.embedOne('a'));
});

test('aborting a load under way', async () => {
  const controller = new AbortController();
  const load = Embedder.load({ model, signal: controller.signal });
  controller.abort('changed my mind');
  expect((await rejection(load, 'ERR_EMBED_ABORTED')).cause).toBe('changed my mind');
  await (await Embedder.load({ model })).close();
});

test('a signal of another realm, by its shape', async () => {
  const listeners = new Set<() => void>();
  const signal = {
    aborted: false,
    reason: 'from elsewhere',
    addEventListener: (_: string, listener: () => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
  };
  const call = embedder.embedBatch(many, { signal: signal as unknown as AbortSignal });
  signal.aborted = true;
  for (const listener of listeners) listener();
  expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toBe('from elsewhere');
  expect(listeners.size).toBe(0);
});

test('a signal that cannot be listened to starts nothing', async () => {
  const refused = new Error('no more listeners');
  const refuse = (): never => {
    throw refused;
  };
  const signal = { aborted: false, addEventListener: refuse, removeEventListener: refuse } as unknown as AbortSignal;
  const { failures } = embedder.stats();
  // What had started would be rejected, as it is too long, with nobody to handle it, which ends a process and fails this test.
  await expect(embedder.embedOne('x '.repeat(200), { signal, overflow: 'error' })).rejects.toBe(refused);
  await rejection(embedder.embedOne('x '.repeat(200), { overflow: 'error' }), 'ERR_EMBED_TOO_LONG');
  await sleep(1);
  expect(embedder.stats().failures).toBe(failures + 1);
});
