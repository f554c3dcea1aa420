// What a call promises: one vector a text, in order, the same whatever came with it, as views over one buffer.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Embedder } from 'sentence-embedder';
import { expectVectors, rejection } from './support/expectations';
import { modelFolder, reference, texts } from './support/fixtures';
import { block, ROOT, runNode, runScript, SLOWNESS } from './support/processes';

const model = modelFolder('bert');
const { vectors: expected, tolerance, tokenCounts, maxTokens } = reference('bert');
let embedder: Embedder;

beforeAll(async () => {
  embedder = await Embedder.load({ model });
});

afterAll(async () => {
  await embedder.close();
});

/** A shuffle that is the same in every run. */
function shuffled(length: number): number[] {
  const order = Array.from({ length }, (_, i) => i);
  let state = 1;
  for (let i = length - 1; i > 0; i--) {
    state = (state * 48_271) % 2_147_483_647;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

test('no texts give no vectors', async () => {
  await expect(embedder.embedBatch([])).resolves.toEqual([]);
  await expect(embedder.countTokens([])).resolves.toEqual(new Uint32Array());
  await expect(embedder.embedDetailed([])).resolves.toEqual({
    vectors: [],
    tokenCounts: new Uint32Array(),
    truncated: [],
  });
});

test('the vectors of a call are views over one buffer', async () => {
  const vectors = await embedder.embedBatch(texts);
  const { buffer } = vectors[0]!;
  expect(buffer.byteLength).toBe(texts.length * 32 * 4);
  vectors.forEach((vector, row) => {
    expect(vector).toBeInstanceOf(Float32Array);
    expect(vector.buffer).toBe(buffer);
    expect([vector.byteOffset, vector.length]).toEqual([row * 32 * 4, 32]);
  });
  expect((await embedder.embedOne('a')).buffer.byteLength).toBe(32 * 4);
});

test('a text has the same vector alone, in a batch, shuffled, repeated', async () => {
  const alone: Float32Array[] = [];
  for (const text of texts) alone.push(await embedder.embedOne(text));
  expectVectors(alone, expected, tolerance);

  const order = shuffled(texts.length);
  const mixed = await embedder.embedBatch(order.map((i) => texts[i]!));
  expectVectors(
    mixed,
    order.map((i) => expected[i]!),
    tolerance,
  );

  const many = await embedder.embedBatch([...texts, ...texts, ...texts]);
  expectVectors(many, [...expected, ...expected, ...expected], tolerance);
});

test('fifty calls at once keep their own order', async () => {
  const calls = Array.from({ length: 50 }, (_, call) => {
    const mine = shuffled(texts.length).slice(call % 7, 8 + (call % 20));
    const asked = mine.map((i) => texts[i]!);
    const answer =
      call % 5 === 0
        ? embedder.embedOne(asked[0]!).then((vector) => [vector])
        : embedder.embedBatch(asked, { priority: call % 2 ? 'interactive' : 'bulk' });
    return answer.then((vectors) => {
      const rows = (call % 5 === 0 ? mine.slice(0, 1) : mine).map((i) => expected[i]!);
      expectVectors(vectors, rows, tolerance);
    });
  });
  await Promise.all(calls);
});

test('two embedders at once do not disturb each other', async () => {
  const other = await Embedder.load({ model: modelFolder('xlmr') });
  const [mine, theirs] = await Promise.all([embedder.embedBatch(texts), other.embedBatch(texts)]);
  expectVectors(mine, expected, tolerance);
  expectVectors(theirs, reference('xlmr').vectors, reference('xlmr').tolerance);
  await other.close();
  await expect(embedder.embedOne('a')).resolves.toHaveLength(32);
});

test('the texts are those of the moment of the call', async () => {
  const list = ['Hello world!', 'a'];
  const call = embedder.embedBatch(list);
  list[0] = 'something else';
  list.length = 1;
  expectVectors(await call, [expected[4]!, expected[3]!], tolerance);
});

test('a lone surrogate is the replacement character', async () => {
  const replacement = await embedder.embedBatch(['a \uFFFD b', '\uFFFD']);
  await expect(embedder.embedBatch(['a \uD800 b', '\uDC00'])).resolves.toEqual(replacement);
});

test('normalize', async () => {
  const length = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  expect(length(await embedder.embedOne('Hello world!'))).toBeCloseTo(1, 6);
  const raw = await embedder.embedOne('Hello world!', { normalize: false });
  expect(Math.abs(length(raw) - 1)).toBeGreaterThan(0.01);
  expectVectors([raw], [reference('bert-mean').vectors[4]!], reference('bert-mean').tolerance);
});

describe('texts that are too long', () => {
  const long = tokenCounts.findIndex((count) => count > maxTokens);

  test('are truncated, and the detailed answer says so', async () => {
    const answer = await embedder.embedDetailed([texts[long]!, 'a']);
    expect(answer.truncated).toEqual([true, false]);
    expect([...answer.tokenCounts]).toEqual([tokenCounts[long], 3]);
    expectVectors(answer.vectors, [expected[long]!, expected[3]!], tolerance);
  });

  test('are refused with overflow: error, and the call gives nothing', async () => {
    const asked = ['a', texts[long]!, 'b'];
    const error = await rejection(embedder.embedBatch(asked, { overflow: 'error' }), 'ERR_EMBED_TOO_LONG');
    expect(error.message).toContain('texts[1]');
    expect(error.message).toContain(String(tokenCounts[long]));
    expect(error.message).toContain(String(maxTokens));
    await expect(embedder.embedBatch(['a', 'b'], { overflow: 'error' })).resolves.toHaveLength(2);
  });
});

test('onProgress rises to the number of texts', async () => {
  const reports: [number, number][] = [];
  const many = Array.from({ length: 3000 }, (_, i) => `text number ${String(i)}`);
  await embedder.embedBatch(many, { onProgress: (done, total) => reports.push([done, total]) });
  expect(reports.at(-1)).toEqual([3000, 3000]);
  const done = reports.map((report) => report[0]);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(reports.every((report) => report[1] === 3000)).toBe(true);
});

test('onProgress comes at most 20 times a second, also after the thread was busy', async () => {
  // With one thread it takes long enough on any machine.
  const slow = await Embedder.load({ model, threads: 1 });
  const times: number[] = [];
  const many = Array.from({ length: 60_000 }, (_, i) => `text number ${String(i)} ${'and more '.repeat(8)}`);
  const call = slow.embedBatch(many, { onProgress: () => times.push(performance.now()) });
  block(2000);
  await call;
  await slow.close();
  expect(times.length).toBeGreaterThan(5);
  const within = (second: number): number => times.filter((time) => time >= second && time < second + 1000).length;
  expect(Math.max(...times.map(within))).toBeLessThanOrEqual(20);
});

test('onProgress is silent once the call is rejected', async () => {
  const controller = new AbortController();
  let reports = 0;
  const onProgress = (): void => {
    reports++;
    controller.abort();
  };
  const many = Array.from({ length: 20_000 }, (_, i) => `text number ${String(i)}`);
  await rejection(embedder.embedBatch(many, { onProgress, signal: controller.signal }), 'ERR_EMBED_ABORTED');
  const before = reports;
  await sleep(200);
  expect([before, reports]).toEqual([1, 1]);
});

test('onProgress ends with the number of texts under fake timers too', async () => {
  const reports: [number, number][] = [];
  jest.useFakeTimers();
  try {
    await embedder.embedBatch(['a', 'b'], { onProgress: (done, total) => reports.push([done, total]) });
    await Promise.resolve();
  } finally {
    jest.useRealTimers();
  }
  expect(reports.at(-1)).toEqual([2, 2]);
});

test('an interactive call overtakes a bulk call', async () => {
  const finished: string[] = [];
  const bulk = embedder
    .embedBatch(Array.from({ length: 5000 }, (_, i) => `text number ${String(i)}`))
    .then(() => finished.push('bulk'));
  const query = embedder.embedOne('query').then(() => finished.push('query'));
  await Promise.all([bulk, query]);
  expect(finished).toEqual(['query', 'bulk']);
});

test('the JavaScript thread is free while texts are embedded', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `text number ${String(i)}`);
  const start = performance.now();
  const call = embedder.embedBatch(many);
  // The texts are copied here, which takes some 25 ms.
  expect(performance.now() - start).toBeLessThan(500 * SLOWNESS);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await call;
  clearInterval(timer);
  expect(ticks).toBeGreaterThan((performance.now() - start) / 50);
});

test('the threads on which Node reads files are free while texts are embedded', () => {
  const program = `
    const { Embedder } = require(${JSON.stringify(join(ROOT, 'dist'))});
    const many = Array.from({ length: 200_000 }, (_, i) => 'text number ' + i);
    Embedder.load({ model: ${JSON.stringify(model)} }).then(async (embedder) => {
      const call = embedder.embedBatch(many).then(() => console.log('embedded'), (error) => console.log(error.code));
      await require('node:fs').promises.stat('.');
      console.log('read');
      await embedder.close();
      await call;
    });`;
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  expect(runNode(['--eval', program], { env })).toEqual({
    status: 0,
    signal: null,
    stdout: 'read\nERR_EMBED_CLOSED\n',
    stderr: '',
  });
});

test('an idle embedder uses no processor time', () => {
  // A thread that spins or polls would use a good part of these two seconds.
  const { stdout, ...ending } = runScript(`
    const { Embedder } = require('sentence-embedder');
    const sleep = require('node:timers/promises').setTimeout;
    (async () => {
      const embedder = await Embedder.load({ model: ${JSON.stringify(model)}, threads: 4 });
      await Promise.all([embedder.embedOne('a'), embedder.embedBatch(Array(1000).fill('b'), { timeoutMs: 60000 })]);
      await sleep(500);
      const before = process.cpuUsage();
      await sleep(2000);
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1e6);
      await embedder.close();
    })();
  `);
  expect(ending).toEqual({ status: 0, signal: null, stderr: '' });
  expect(Number(stdout)).toBeLessThan(0.2 * SLOWNESS);
});

test('timeoutMs', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `text number ${String(i)}`);
  const error = await rejection(embedder.embedBatch(many, { timeoutMs: 1 }), 'ERR_EMBED_TIMEOUT');
  expect(error.message).toContain('timeoutMs of 1');
  await expect(embedder.embedOne('a', { timeoutMs: 10_000 })).resolves.toHaveLength(32);
});

test('stats tell what was done', async () => {
  const fresh = await Embedder.load({ model });
  const lane = { queueDepth: 0, latencyMs: { p50: 0, p95: 0, p99: 0 }, textsPerSecond: 0 };
  const none = { texts: 0, tokens: 0, truncated: 0, failures: 0, lanes: { interactive: lane, bulk: lane } };
  expect(fresh.stats()).toEqual({ ...none, memory: { residentBytes: expect.any(Number) as number } });

  await fresh.embedBatch(texts);
  await fresh.embedOne('a');
  const stats = fresh.stats();
  const read = tokenCounts.reduce((sum, count) => sum + Math.min(count, maxTokens), 3);
  expect(stats).toMatchObject({
    texts: texts.length + 1,
    tokens: read,
    truncated: tokenCounts.filter((count) => count > maxTokens).length,
    failures: 0,
  });
  for (const { latencyMs, textsPerSecond, queueDepth } of Object.values(stats.lanes)) {
    expect(latencyMs.p50).toBeGreaterThan(0);
    expect(latencyMs.p99).toBeGreaterThanOrEqual(latencyMs.p50);
    expect(textsPerSecond).toBeGreaterThan(0);
    expect(queueDepth).toBe(0);
  }
  await fresh.close();
});
