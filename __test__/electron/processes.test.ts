// The package in every kind of process that an Electron app has, and every way in which such a process can end.

import { join } from 'node:path';
import { Embedder } from 'sentence-embedder';
import { modelFolder, texts } from '../support/fixtures';
import { CRASH, electronBinary, FLAGS, runApp, useDisplay } from './support';

const binary = electronBinary();
const model = modelFolder('bert');
const main = join(__dirname, 'app', 'main.mjs');

useDisplay();

let expected: object;

beforeAll(async () => {
  const embedder = await Embedder.load({ model, threads: 1 });
  const { vectors, tokenCounts } = await embedder.embedDetailed(texts);
  await embedder.close();
  expected = {
    vectors: vectors.map((vector) => [...vector]),
    tokenCounts: [...tokenCounts],
    cancelled: 'ERR_EMBED_ABORTED',
    closed: 'ERR_EMBED_CLOSED',
    afterClose: 'ERR_EMBED_CLOSED',
    usable: { asBytes: true, cloned: true, handedOver: true, givenAway: true },
  };
});

/** Plays a scenario of app/main.mjs and checks how the app ended. */
async function play(scenario: string, { code = 0, times = 0 } = {}): Promise<unknown> {
  const order = JSON.stringify({ scenario, model, texts, times });
  const ending = await runApp(binary, [...FLAGS, main, order]);
  expect(ending).toMatchObject({ code, signal: null });
  expect(ending.stderr).not.toMatch(CRASH);
  return ending.stdout === '' ? undefined : JSON.parse(ending.stdout);
}

test.each([
  ['the main process', 'main'],
  ['a worker thread', 'worker'],
  ['a utility process', 'utility'],
  ['a forked child', 'fork'],
])('load, embed, cancel and close in %s, with the vectors of Node', async (_, scenario) => {
  expect(await play(scenario)).toEqual(expected);
});

test('an isolated embedder is in a utility process, and the app outlives its crashes', async () => {
  const { vectors, here, ...seen } = (await play('isolated')) as Record<string, unknown>;
  expect(vectors).toEqual(here);
  const types = ['Utility', 'Utility', 'Utility'];
  expect(seen).toEqual({ types, pids: 3, restarts: [1, 1], wrong: 'ERR_EMBED_INVALID_ARGUMENT', left: false });
});

test.each([
  ['quits', 0],
  ['is killed', 1],
])('an isolated embedder ends with an app that %s', async (_, times) => {
  const order = JSON.stringify({ scenario: 'isolatedQuit', model, texts, times });
  const { stdout } = await runApp(binary, [...FLAGS, main, order]);
  const pid = Number(stdout);
  expect(pid).toBeGreaterThan(0);
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('eight worker threads at once share one ONNX Runtime', async () => {
  const runtimes = process.platform === 'linux' ? ['libonnxruntime.so.1'] : undefined;
  expect(await play('eightWorkers')).toEqual({ answers: Array(8).fill(expected), runtimes });
});

test('worker threads terminated in the middle of a batch, 200 times', async () => {
  expect(await play('terminate', { times: 200 })).toBe(200);
}, 400_000);

test('utility processes that exit in the middle of a batch, 100 times', async () => {
  expect(await play('exitUtility', { times: 100 })).toEqual({ 7: 100 });
}, 400_000);

describe('in the middle of a batch of the main process', () => {
  test.each([
    ['app.quit()', 'quit', 0],
    ['app.exit()', 'exit', 7],
    ['process.exit()', 'processExit', 7],
    ['the last window closed', 'windowClosed', 0],
    ['app.quit(), with a busy worker thread and a busy utility process', 'quitWithOthers', 0],
  ])('%s, 5 times', async (_, scenario, code) => {
    for (let i = 0; i < 5; i++) await play(scenario, { code });
  });
});
