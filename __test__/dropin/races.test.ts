// What becomes of starts, restarts, shutdowns and calls that meet: the last one asked for decides, and nothing is left over.

import {
  CustomEmbedder,
  InProcessEmbedder,
  IsolatedEmbedder,
  type EmbedFunction,
  type ManagedEmbedder,
} from 'sentence-embedder';
import { TestEmbedder } from 'sentence-embedder/testing';
import { rejection } from '../support/expectations';
import { modelFolder } from '../support/fixtures';
import { SLOWNESS } from '../support/processes';
import { recorder } from './support';

const ones: EmbedFunction = (texts) => Promise.resolve(texts.map((text) => [1, text.length]));
/** Those of both entry points: their declarations are two. */
type Managed = Pick<ManagedEmbedder, keyof ManagedEmbedder>;

const kinds: [string, () => Managed][] = [
  ['test', () => new TestEmbedder({ dimension: 4 })],
  ['test, started by the first call', () => new TestEmbedder({ dimension: 4, autoStart: false })],
  ['native', () => new InProcessEmbedder({ modelName: modelFolder('bert') })],
  ['isolated', () => new IsolatedEmbedder({ modelName: modelFolder('bert') })],
];

/** Expects that the embedder is off, and that it can be used again. */
async function expectOff(embedder: Managed): Promise<void> {
  expect(embedder.getStats().isReady).toBe(false);
  expect(embedder.space).toBeUndefined();
  await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
  expect(await embedder.initialize()).toBe(true);
  expect(await embedder.embed(['a'])).toHaveLength(1);
  await embedder.shutdown();
}

describe.each(kinds)('%s', (_, make) => {
  test('a shutdown ends a start that has just begun', async () => {
    const embedder = make();
    const started = embedder.initialize();
    await embedder.shutdown();
    expect(await started).toBe(false);
    await expectOff(embedder);
  });

  test('a shutdown ends a start that waits for the shutdown before it', async () => {
    const embedder = make();
    await embedder.initialize();
    const calls = [embedder.shutdown(), embedder.initialize(), embedder.shutdown()];
    expect(await Promise.all(calls)).toEqual([undefined, false, undefined]);
    await expectOff(embedder);
  });

  test('a start after a shutdown is a start, whatever the shutdown has ended', async () => {
    const embedder = make();
    const [ended, , started] = await Promise.all([embedder.initialize(), embedder.shutdown(), embedder.initialize()]);
    expect([ended, started]).toEqual([false, true]);
    expect(await embedder.embed(['a'])).toHaveLength(1);
    await embedder.shutdown();
  });

  test('a shutdown is not undone by the restart before it', async () => {
    const embedder = make();
    await embedder.initialize();
    const restarted = embedder.restart().catch((error: unknown) => error);
    await embedder.shutdown();
    const outcome = await restarted; // it may have been done in time
    if (outcome !== undefined) expect(outcome).toMatchObject({ code: 'ERR_EMBED_CLOSED' });
    await expectOff(embedder);
  });

  test('starts and restarts at once are one start', async () => {
    const embedder = make();
    expect(await Promise.all([embedder.initialize(), embedder.restart(), embedder.initialize()])).toEqual([
      true,
      undefined,
      true,
    ]);
    expect(await embedder.embed(['a'])).toHaveLength(1);
    await embedder.shutdown();
  });
});

test('whoever waits for a start can cancel it', async () => {
  const embedder = new TestEmbedder();
  const started = [embedder.initialize(), embedder.initialize({ signal: AbortSignal.abort('enough') })];
  expect(await Promise.all(started)).toEqual([false, false]);
  expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_ABORTED', cause: 'enough' });
  expect(await embedder.initialize()).toBe(true);
});

test('two restarts at once are one, and are told once', async () => {
  const { events, onEvent } = recorder();
  const embedder = new TestEmbedder({ onEvent });
  await embedder.initialize();
  await Promise.all([embedder.restart(), embedder.restart()]);
  expect(events.filter(({ type }) => type === 'restart')).toHaveLength(1);
});

/** An embedder that has failed for good, and what makes its function well again. */
async function failedForGood(): Promise<{ embedder: CustomEmbedder; mend: () => void }> {
  let well = true;
  const embed: EmbedFunction = (texts, options) => (well ? ones(texts, options) : Promise.reject(new Error('gone')));
  const embedder = new CustomEmbedder({ custom: { embed, fingerprint: 'mine' }, retryDelay: 1 });
  await embedder.initialize();
  well = false;
  await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE');
  const mend = (): void => {
    well = true;
  };
  return { embedder, mend };
}

test('an embedder that has failed for good is not ready until a restart has worked', async () => {
  const { embedder, mend } = await failedForGood();
  await rejection(embedder.restart(), 'ERR_EMBED_INFERENCE');
  expect(embedder.getStats().isReady).toBe(false);
  mend();
  await embedder.restart();
  expect(embedder.getStats().isReady).toBe(true);
  expect(await embedder.embed(['a'])).toHaveLength(1);
});

test('a restart and an initialize at once, after a failure for good, are one start', async () => {
  const { embedder, mend } = await failedForGood();
  mend();
  expect(await Promise.all([embedder.restart(), embedder.initialize()])).toEqual([undefined, true]);
  expect(await embedder.embed(['a'])).toHaveLength(1);
});

test('a session with other vectors does not take the place of the one before', async () => {
  let length = 3;
  const embed: EmbedFunction = (texts) => Promise.resolve(texts.map(() => Array<number>(length).fill(1)));
  const embedder = new CustomEmbedder({ custom: { embed, fingerprint: 'mine' } });
  await embedder.initialize();
  length = 4;
  const error = await rejection(embedder.restart(), 'ERR_EMBED_MODEL_INVALID');
  expect(error.message).toMatch(/3 numbers, but .* 4 numbers/);
  expect(embedder.space?.dimension).toBe(3);
  await embedder.shutdown();
  expect(await embedder.initialize()).toBe(true);
  expect(embedder.space?.dimension).toBe(4);
});

test('a shutdown does not wait for the question whether a session is well', async () => {
  let well = true;
  const embed: EmbedFunction = (texts, options) => {
    if (texts[0] === 'bad') return Promise.reject(new Error('bad'));
    return well ? ones(texts, options) : new Promise(() => undefined);
  };
  const embedder = new CustomEmbedder({ custom: { embed, fingerprint: 'mine' }, drainTimeout: 10 });
  await embedder.initialize();
  well = false;
  const call = embedder.embed(['bad']);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const began = performance.now();
  await embedder.shutdown();
  expect(performance.now() - began).toBeLessThan(2000 * SLOWNESS);
  await rejection(call, 'ERR_EMBED_CLOSED');
});

test.each<[string, () => unknown]>([
  ['throws', () => { throw new Error('no'); }], // prettier-ignore
  ['answers nothing', () => undefined],
  ['rejects', () => Promise.reject(new Error('no'))],
])('a shutdown and a restart survive a close that %s', async (_, close) => {
  const embedder = new CustomEmbedder({ custom: { embed: ones, fingerprint: 'mine', close: close as never } });
  await embedder.initialize();
  await embedder.restart();
  await embedder.shutdown();
  expect(embedder.getStats().isReady).toBe(false);
});

test('wrong options of a call are refused, whatever the kind', async () => {
  const embedder = new TestEmbedder();
  await embedder.initialize();
  for (const options of [{ priority: 'urgent' }, { signal: 'stop' }, { singal: undefined, timeout: 1 }, 5]) {
    await rejection(embedder.embed(['a', 'b'], options as never), 'ERR_EMBED_INVALID_ARGUMENT');
  }
});
