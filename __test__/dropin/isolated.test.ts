// An embedder in a process of its own: what crosses, and what becomes of calls, of restarts and of both processes when one dies.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { InProcessEmbedder, IsolatedEmbedder, type EmbedError, type InProcessConfig } from 'sentence-embedder';
import { rejection } from '../support/expectations';
import { modelFolder, temporaryFolder, texts } from '../support/fixtures';
import { block, ROOT, runScript } from '../support/processes';
import { recorder } from './support';

const modelName = modelFolder('bert');
const parent = temporaryFolder();
const { env } = process;
const before = { ...env };
const embedders: IsolatedEmbedder[] = [];

const isolated = (config: InProcessConfig = {}): IsolatedEmbedder => {
  const embedder = new IsolatedEmbedder({ modelName, retryDelay: 1, ...config });
  embedders.push(embedder);
  return embedder;
};

/** An embedder whose processes crash on some texts: see crashes.mjs. */
const crashing = (config: InProcessConfig = {}, more: NodeJS.ProcessEnv = {}): IsolatedEmbedder => {
  Object.assign(env, more, {
    NODE_OPTIONS: `--import ${JSON.stringify(pathToFileURL(join(__dirname, 'crashes.mjs')).href)}`,
  });
  return isolated(config);
};

afterEach(async () => {
  await Promise.all(embedders.splice(0).map((embedder) => embedder.shutdown()));
  for (const name of ['NODE_OPTIONS', 'CRASH_LOAD', 'CRASH_MARK']) {
    if (before[name] === undefined) Reflect.deleteProperty(env, name);
    else env[name] = before[name];
  }
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Resolves when a process is gone: a test that waits for ever fails by its own limit. */
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

const causeOf = ({ cause }: EmbedError): unknown => ({ ...(cause as object) });

describe('what crosses', () => {
  test('vectors are those of this process, to the bit, and share one buffer', async () => {
    const odd = [...texts.slice(0, 20), '', '\ud800 alone', 'a\0b', '😀'.repeat(1000)];
    const [here, there] = [new InProcessEmbedder({ modelName }), isolated()];
    await Promise.all([here.initialize(), there.initialize()]);
    const [expected, vectors] = [await here.embedTyped(odd), await there.embedTyped(odd)];
    expect(vectors).toEqual(expected);
    expect(vectors[0]).toBeInstanceOf(Float32Array);
    expect(new Set(vectors.map(({ buffer }) => buffer)).size).toBe(1);
    expect(there.space).toEqual(here.space);
    expect(there.kind).toBe('isolated');
    expect(there.getStats()).toEqual({ filesSinceSpawn: 1, isReady: true }); // its memory is another process's
    expect(there.pid).not.toBe(process.pid);
    await here.shutdown();
  });

  test('options of the load, and its stages', async () => {
    const { onEvent, words } = recorder();
    const load = { cacheDir: join(parent, 'cache'), maxTokens: 7 };
    const embedder = isolated({ onEvent, load });
    expect(await embedder.initialize()).toBe(true);
    expect(words()).toEqual(['checking', 'preparing', 'loading', 'ready']);
    expect(embedder.space?.maxTokens).toBe(7);
  });

  test('errors keep their codes and causes', async () => {
    const embedder = isolated({ modelName: join(parent, 'nowhere') });
    expect(await embedder.initialize()).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_MODEL_NOT_FOUND' });
    expect(embedder.lastError?.message).toMatch(/nowhere/);
    const wrong = isolated({ load: { threads: 1000 } });
    expect(await wrong.initialize()).toBe(false);
    expect(wrong.lastError).toMatchObject({ code: 'ERR_EMBED_INVALID_ARGUMENT' });
    const here = new InProcessEmbedder({ modelName, load: { threads: 1000 } });
    await here.initialize();
    expect(wrong.lastError?.message).toBe(here.lastError?.message);
    const uncopied = isolated({ load: { threads: () => 1 } as never });
    expect(await uncopied.initialize()).toBe(false);
    expect(uncopied.lastError).toMatchObject({ code: 'ERR_EMBED_INVALID_ARGUMENT' });
  });

  test('limits of time, and signals, which end a call here at once and there as well', async () => {
    const embedder = isolated({ timeout: 1, load: { threads: 1 } });
    await embedder.initialize();
    await rejection(embedder.embed(Array.from({ length: 4000 }, (_, i) => `text ${String(i)}`)), 'ERR_EMBED_TIMEOUT');
    const patient = isolated({ load: { threads: 1 }, batchSize: 4096 });
    await patient.initialize();
    const controller = new AbortController();
    const call = patient.embedTyped(Array(50_000).fill('long '.repeat(50)) as string[], { signal: controller.signal });
    const query = patient.embed(['a query goes first']);
    controller.abort('enough');
    expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toBe('enough');
    expect(await query).toHaveLength(1);
    expect(await patient.embed(['x', 'y'])).toHaveLength(2);
  });

  test('a start is cancelled by its signal', async () => {
    const embedder = crashing({}, { CRASH_LOAD: 'hang' });
    const controller = new AbortController();
    const started = embedder.initialize({ signal: controller.signal });
    setTimeout(() => { controller.abort('closed'); }, 50); // prettier-ignore
    expect(await started).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_ABORTED', cause: 'closed' });
  });
});

describe('a process that dies', () => {
  test.each(['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const)(
    'by %s during calls is replaced, and no call notices',
    async (signal) => {
      const { events, onEvent } = recorder();
      const embedder = isolated({ onEvent, batchSize: 8 });
      await embedder.initialize();
      const expected = await embedder.embed(texts);
      const { pid = 0 } = embedder;
      const calls = Array.from({ length: 20 }, () => embedder.embed(texts));
      setImmediate(() => process.kill(pid, signal));
      for (const vectors of await Promise.all(calls)) expect(vectors).toEqual(expected);
      await gone(pid);
      await embedder.embed(['after it']);
      expect(embedder.pid).not.toBe(pid);
      const restarts = events.filter(({ type }) => type === 'restart');
      expect(restarts).toMatchObject([{ reason: 'failure', attempt: 1, error: { code: 'ERR_EMBED_INFERENCE' } }]);
      expect(restarts[0]).toMatchObject({ error: { cause: { signal, exitCode: null } } });
    },
  );

  test('while it has nothing to do is replaced by the next call', async () => {
    const embedder = isolated();
    await embedder.initialize();
    const { pid = 0 } = embedder;
    process.kill(pid, 'SIGKILL');
    await gone(pid);
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('is told with exit code and last words where it is not replaced', async () => {
    const embedder = crashing({ autoRestart: false });
    await embedder.initialize();
    const error = await rejection(embedder.embed(['complain']), 'ERR_EMBED_INFERENCE');
    expect(error.message).toMatch(/process ended \(exit code 6\):\nthe last words/);
    expect(causeOf(error)).toEqual({ exitCode: 6, signal: null, stderr: 'the last words' });
    await embedder.restart();
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('and is not replaced has failed for good: that is told once, and a start begins afresh', async () => {
    const { events, onEvent } = recorder();
    const embedder = isolated({ onEvent, autoRestart: false, batchSize: 1 });
    await embedder.initialize();
    const { pid = 0 } = embedder;
    process.kill(pid, 'SIGKILL');
    await gone(pid);
    const calls = [embedder.embed(['a'.repeat(300), 'b'.repeat(300)]), embedder.embed(['c'])];
    for (const call of calls) await rejection(call, 'ERR_EMBED_INFERENCE');
    const error = await rejection(embedder.embed(['d']), 'ERR_EMBED_INFERENCE');
    expect(embedder.getStats().isReady).toBe(false);
    expect(embedder.lastError).toBe(error);
    expect(events.filter((event) => event.type === 'stage' && event.stage === 'error')).toHaveLength(1);
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.lastError).toBeUndefined();
    expect(embedder.pid).not.toBe(pid);
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('during the load makes the start fail', async () => {
    const embedder = crashing({}, { CRASH_LOAD: 'exit' });
    expect(await embedder.initialize()).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_INFERENCE', cause: { exitCode: 3, signal: null } });
    delete env['CRASH_LOAD'];
    expect(await embedder.initialize()).toBe(true);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is not the one that %s asks to stop: this one decides',
    async (signal) => {
      const embedder = isolated({ autoRestart: false });
      await embedder.initialize();
      const { pid } = embedder;
      process.kill(pid ?? 0, signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await embedder.embed(['a'])).toHaveLength(1);
      expect(embedder.pid).toBe(pid);
    },
  );
});

describe('texts that crash the process', () => {
  test.each<[string, object]>([
    ['abort', { signal: 'SIGABRT', exitCode: null }],
    ['SIGSEGV', { signal: 'SIGSEGV', exitCode: null }],
    ['exit', { signal: null, exitCode: 5 }],
  ])('by %s are given up after the second crash, and nobody else loses a call', async (word, cause) => {
    const { events, onEvent } = recorder();
    const embedder = crashing({ onEvent, retries: 5 });
    await embedder.initialize();
    const others = Array.from({ length: 10 }, (_, i) => embedder.embed([`text ${String(i)}`, 'b']));
    const poison = rejection(embedder.embedWithRetry([word, 'b']), 'ERR_EMBED_INFERENCE');
    const queries = Array.from({ length: 5 }, (_, i) => embedder.embed([`query ${String(i)}`]));
    expect(await Promise.all([...others, ...queries])).toHaveLength(15);
    const error = await poison;
    expect(error.message).toMatch(/Gave up on the texts after they broke two sessions: The embedder's process ended/);
    expect(causeOf(error)).toMatchObject(cause);
    expect(events.filter(({ type }) => type === 'restart')).toHaveLength(2);
    expect(await embedder.embed(['a'])).toHaveLength(1);
    expect(embedder.getStats().isReady).toBe(true);
  });

  test('only once are answered', async () => {
    const embedder = crashing({}, { CRASH_MARK: join(parent, 'mark') });
    await embedder.initialize();
    expect(await embedder.embed(['once', 'b'])).toHaveLength(2);
  });

  test('use up three restarts where nothing else works between, and that is told', async () => {
    const { events, onEvent, words } = recorder();
    const embedder = crashing({ onEvent });
    await embedder.initialize();
    await rejection(embedder.embed(['abort']), 'ERR_EMBED_INFERENCE');
    const error = await rejection(embedder.embed(['abort']), 'ERR_EMBED_INFERENCE');
    expect(error.message).toMatch(/replaced 3 times/);
    const attempts = events.flatMap((event) => (event.type === 'restart' ? [event.attempt] : []));
    expect(attempts).toEqual([1, 2, 3]);
    expect(words().at(-1)).toBe('error');
    expect(embedder.getStats().isReady).toBe(false);
    await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE');
    expect(await embedder.initialize()).toBe(true);
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });
});

test('a process that hangs is ended, and the next call has another', async () => {
  const embedder = crashing({ timeout: 1000 });
  await embedder.initialize();
  const { pid = 0 } = embedder;
  const signalled = jest.spyOn(process, 'kill');
  await rejection(embedder.embed(['hang']), 'ERR_EMBED_TIMEOUT');
  expect(signalled).not.toHaveBeenCalled(); // by its id, which is another's once it has ended
  signalled.mockRestore();
  await gone(pid);
  expect(await embedder.embed(['a'])).toHaveLength(1);
  expect(embedder.pid).not.toBe(pid);
});

test('a process that answered while this thread was blocked has not hung', async () => {
  const embedder = isolated({ timeout: 1000 });
  await embedder.initialize();
  const { pid } = embedder;
  const call = embedder.embed(['a', 'b']);
  await new Promise((resolve) => setImmediate(resolve)); // the order has gone over
  block(6500);
  expect(await call).toHaveLength(2);
  expect(embedder.pid).toBe(pid);
});

describe('the end', () => {
  test('a shutdown ends the process, which leaves nothing behind', async () => {
    const embedder = isolated();
    await embedder.initialize();
    const { pid = 0 } = embedder;
    await embedder.shutdown();
    expect(isAlive(pid)).toBe(false); // a zombie would still be there
  });

  const start = `
    const { IsolatedEmbedder } = require('sentence-embedder');
    const embedder = new IsolatedEmbedder({ modelName: ${JSON.stringify(modelName)} });
    embedder.initialize().then((started) => {
      console.log(embedder.pid);`;

  test('a program that is done ends, its embedder with it', async () => {
    const { status, stdout } = runScript(`${start} });`);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\n$/) as string });
    await gone(Number(stdout));
  });

  test.each([
    ['in a call', "embedder.embed(Array(100000).fill('some text'));"],
    ['at rest', 'setInterval(() => undefined, 1000);'],
  ])('a program that is killed %s takes its embedder with it', async (_, then) => {
    const program = spawn(process.execPath, ['--eval', `${start} ${then} });`], { cwd: ROOT });
    const [line] = (await once(createInterface(program.stdout), 'line')) as [string];
    program.kill('SIGKILL');
    await gone(Number(line));
  });

  const finish = `
    process.once('SIGTERM', async () => {
      console.log((await call).length, embedder.pid);
      await embedder.shutdown();
    });`;
  test.each([
    ['finishes its calls', finish],
    ['has no listener', ''],
  ])('a program whose whole group is asked to stop takes its embedder with it: one that %s', async (_, then) => {
    const script = `${start} const call = embedder.embed(Array(3000).fill('some text')); ${then} console.log('ready'); });`;
    const program = spawn(process.execPath, ['--eval', script], { cwd: ROOT, detached: true });
    const lines = createInterface(program.stdout)[Symbol.asyncIterator]();
    const pid = Number((await lines.next()).value);
    expect(await lines.next()).toMatchObject({ value: 'ready' });
    process.kill(-(program.pid ?? 0), 'SIGTERM');
    expect(await lines.next()).toEqual({ done: !then, value: then ? `3000 ${String(pid)}` : undefined });
    await gone(pid);
  });

  test('a program that is killed during the load takes its embedder with it', async () => {
    const program = `
      const { IsolatedEmbedder } = require('sentence-embedder');
      const { ChildProcess } = require('node:child_process');
      const { spawn } = ChildProcess.prototype;
      ChildProcess.prototype.spawn = function (...args) {
        const result = spawn.apply(this, args);
        console.log(this.pid);
        return result;
      };
      new IsolatedEmbedder({ modelName: ${JSON.stringify(modelName)} }).initialize();`;
    for (const after of [0, 60]) {
      const child = spawn(process.execPath, ['--eval', program], { cwd: ROOT });
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      setTimeout(() => child.kill('SIGKILL'), after);
      await once(child, 'exit');
      await gone(Number(line));
    }
  });
});
