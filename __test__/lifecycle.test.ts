// The end of an embedder and of the process: later calls are refused, calls under way settle, nothing keeps Node alive.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Embedder } from 'sentence-embedder';
import { rejection } from './support/expectations';
import { modelFolder } from './support/fixtures';
import { ROOT, runScript } from './support/processes';

const model = modelFolder('bert');
const many = Array.from({ length: 20_000 }, (_, i) => `text number ${String(i)}`);

test('after close every call is refused, and closing again is harmless', async () => {
  const embedder = await Embedder.load({ model });
  await Promise.all([embedder.close(), embedder.close()]);
  await embedder.close();
  await rejection(embedder.embedOne('a'), 'ERR_EMBED_CLOSED');
  await rejection(embedder.embedBatch(['a']), 'ERR_EMBED_CLOSED');
  await rejection(embedder.embedBatch([]), 'ERR_EMBED_CLOSED');
  await rejection(embedder.embedDetailed(['a']), 'ERR_EMBED_CLOSED');
  await rejection(embedder.countTokens(['a']), 'ERR_EMBED_CLOSED');
  expect(embedder.info.dimension).toBe(32);
  expect(embedder.stats().texts).toBe(0);
});

test('calls under way settle when the embedder is closed', async () => {
  // Again and again, since a run that was stopped could reject its call before the embedder did, now and then.
  for (let i = 0; i < 20; i++) {
    const embedder = await Embedder.load({ model });
    const calls = [embedder.embedBatch(many), embedder.embedBatch(many), embedder.embedOne('a')];
    if (i % 2 === 1) await sleep(i); // so that runs are under way
    const closed = embedder.close();
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_EMBED_CLOSED' });
    }
    await closed;
  }
});

test('closing one embedder leaves another of the same model alone', async () => {
  const [one, other] = await Promise.all([Embedder.load({ model }), Embedder.load({ model })]);
  const call = other.embedBatch(many.slice(0, 500));
  await one.close();
  await expect(call).resolves.toHaveLength(500);
  await other.close();
});

test('Symbol.asyncDispose closes', async () => {
  const embedder = await Embedder.load({ model });
  await embedder[Symbol.asyncDispose]();
  await rejection(embedder.embedOne('a'), 'ERR_EMBED_CLOSED');
});

test('loading and closing many times', async () => {
  for (let i = 0; i < 30; i++) {
    const embedder = await Embedder.load({ model });
    if (i % 3 === 0) expect(await embedder.embedOne('a')).toHaveLength(32);
    await embedder.close();
    await rejection(embedder.embedOne('a'), 'ERR_EMBED_CLOSED');
  }
});

describe('a process', () => {
  const load = `const { Embedder } = require(${JSON.stringify(join(ROOT, 'dist'))});
    const many = Array.from({ length: 200000 }, (_, i) => 'text number ' + i);
    const load = () => Embedder.load({ model: ${JSON.stringify(model)} });
    process.on('unhandledRejection', (error) => { console.log('unhandled', error.code); process.exit(9); });\n`;

  test.each([
    [
      'that closed its embedder',
      `load().then((e) => e.embedOne('a').then(() => e.close()).then(() => console.log('done')))`,
    ],
    ['that did not', `load().then((e) => e.embedOne('a').then(() => console.log('done')))`],
    [
      'that waits for an answer',
      `load().then((e) => { e.embedBatch(many.slice(0, 9000)).then(() => console.log('done')) })`,
    ],
    ['that waits for a load', `load().then(() => console.log('done'))`],
  ])('%s ends by itself', (_, script) => {
    expect(runScript(load + script)).toEqual({ status: 0, signal: null, stdout: 'done\n', stderr: '' });
  });

  // Of such processes, one in four crashed with a model of the hub, and one in thirty with a folder, when the threads of a load
  // read the environment.
  test.each([
    ['a model of the hub', `{ model: 'a/b', offline: true }`],
    ['a folder', JSON.stringify({ model })],
  ])('may set variables while it loads %s', (_, options) => {
    const script = `
      Embedder.load(${options}).catch(() => {});
      for (let i = 0; i < 300; i++) process.env['A_VARIABLE_' + i] = 'of some length';`;
    for (let i = 0; i < 20; i++) expect(runScript(load + script)).toMatchObject({ status: 0, signal: null });
  });

  test('listens for its exit once, however often the package is loaded', () => {
    const listeners = process.listenerCount('exit');
    for (let i = 0; i < 3; i++) {
      jest.isolateModules(() => {
        // eslint-disable-next-line @typescript-eslint/no-require-imports -- the only way to load it again
        const again = require('sentence-embedder') as typeof import('sentence-embedder');
        again.dot(new Float32Array([1]), new Float32Array([1]));
      });
    }
    expect(process.listenerCount('exit')).toBe(listeners);
  });

  (process.platform === 'linux' ? test : test.skip)('has no thread of an embedder any more once it is closed', () => {
    // Not embedder-close, which settles the promise and then ends itself. Of ten times, since the system may list a
    // thread a moment longer than one waits for it, and since threads that nobody waits for may happen to be done.
    const script = `(async () => {
      const { readdirSync, readFileSync } = require('node:fs');
      const nameOf = (task) => { try { return readFileSync('/proc/self/task/' + task + '/comm', 'utf8') } catch { return '' } };
      const ours = () => readdirSync('/proc/self/task').filter((task) => /^embedder-(\\d|clock)/.test(nameOf(task))).length;
      let [before, after] = [0, 0];
      for (let i = 0; i < 10; i++) {
        const e = await load();
        e.embedBatch(many.slice(0, 20000)).catch(() => {});
        // A thread has its name only once it runs.
        for (let wait = 0; wait < 1000 && ours() === 0; wait++) await new Promise(setImmediate);
        before += ours() > 0;
        await e.close();
        after += ours() > 0;
      }
      console.log(before, after <= 2);
    })()`;
    expect(runScript(load + script)).toEqual({ status: 0, signal: null, stdout: '10 true\n', stderr: '' });
  });

  test.each([
    ['in the middle of a batch', `load().then((e) => { e.embedBatch(many); setTimeout(() => process.exit(7), 30) })`],
    ['right after a call', `load().then((e) => { e.embedBatch(many); process.exit(7) })`],
    ['in the middle of a load', `load(); setImmediate(() => process.exit(7))`],
    [
      'in the middle of closing',
      `load().then((e) => { e.embedBatch(many).catch(() => {}); e.close(); process.exit(7) })`,
    ],
  ])('that exits %s ends with its own code', (_, script) => {
    expect(runScript(load + script)).toEqual({ status: 7, signal: null, stdout: '', stderr: '' });
  });

  test.each([0, 1, 2, 4, 8, 12, 16, 24, 32, 48])('that exits %d ms into a load ends with its own code', (delay) => {
    const script = `load().catch(() => {}); setTimeout(() => process.exit(7), ${String(delay)})`;
    expect(runScript(load + script)).toEqual({ status: 7, signal: null, stdout: '', stderr: '' });
  });

  test('that has one signal for many calls is not warned of a leak', () => {
    const script = `load().then(async (e) => {
      const { signal } = new AbortController();
      await Promise.all(many.slice(0, 50).map((text) => e.embedOne(text, { signal })));
      console.log('done');
    })`;
    expect(runScript(load + script)).toEqual({ status: 0, signal: null, stdout: 'done\n', stderr: '' });
  });

  test('whose onProgress throws has an uncaught exception and its answer', () => {
    const script = `
      process.on('uncaughtException', (error) => console.log('uncaught:', error.message));
      load().then(async (e) => {
        const vectors = await e.embedBatch(many.slice(0, 9000), { onProgress() { throw new Error('mine'); } });
        setImmediate(() => console.log(vectors.length));
      })`;
    const { status, stdout } = runScript(load + script);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^(uncaught: mine\n)+9000\n$/) as string,
    });
  });

  test('without listeners ends when many worker threads used the addon', () => {
    const script = `
      const { Worker } = require('node:worker_threads');
      const code = ${JSON.stringify(load)} + "load().then((e) => e.embedOne('a')).then(() => process.exit())";
      let left = 8;
      for (let i = 0; i < 8; i++) {
        new Worker(code, { eval: true }).on('exit', (status) => { if (status) console.log(status); if (!--left) console.log('done'); });
      }`;
    expect(runScript(script)).toEqual({ status: 0, signal: null, stdout: 'done\n', stderr: '' });
  });
});
