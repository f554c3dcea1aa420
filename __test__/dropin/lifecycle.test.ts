// The habits of the in-process embedder and of those that share its life: starts, retries, failures, restarts, the end.

import { join } from 'node:path';
import {
  CustomEmbedder,
  Embedder,
  InProcessEmbedder,
  type CustomConfig,
  createTestFactory,
  type EmbedError,
  type FallbackEmbedder,
  type EmbedFunction,
  type InProcessConfig,
  type ManagedEmbedder,
} from 'sentence-embedder';
import { rejection } from '../support/expectations';
import { makeVariant, modelFolder, reference, temporaryFolder, texts } from '../support/fixtures';
import { runScript } from '../support/processes';
import { recorder } from './support';

const modelName = modelFolder('bert');
const parent = temporaryFolder();
/** What a session is tried with. */
const PROBE = 'probe';
const embedders: ManagedEmbedder[] = [];

const native = (config: InProcessConfig = {}): InProcessEmbedder => {
  const embedder = new InProcessEmbedder({ modelName, retryDelay: 1, ...config });
  embedders.push(embedder);
  return embedder;
};

/** An embedder over a function that can be made to fail. */
const custom = (embed: EmbedFunction, config: CustomConfig = {}): CustomEmbedder => {
  const embedder = new CustomEmbedder({ custom: { embed, fingerprint: 'mine' }, retryDelay: 1, ...config });
  embedders.push(embedder);
  return embedder;
};
const ones: EmbedFunction = (given) => Promise.resolve(given.map((text) => [1, text.length]));

afterEach(async () => {
  await Promise.all(embedders.splice(0).map((embedder) => embedder.shutdown()));
});

describe('initialize', () => {
  test('tells each stage, and ready last', async () => {
    const { events, onEvent, words } = recorder();
    const cacheDir = join(parent, 'cache');
    const embedder = native({ onEvent, load: { cacheDir } });
    expect(await embedder.initialize()).toBe(true);
    expect(words()).toEqual(['checking', 'preparing', 'loading', 'ready']);
    expect(events.at(-1)).toMatchObject({ kind: 'native', progress: 1 });
    expect(embedder.lastError).toBeUndefined();

    events.length = 0;
    expect(await native({ onEvent, load: { cacheDir } }).initialize()).toBe(true);
    expect(words()).toEqual(['checking', 'loading', 'ready']); // nothing is left to prepare
  });

  test('passes on what a load tells of downloads and preparation, in order and not after its end', async () => {
    let late = (): void => undefined;
    const load = jest.spyOn(Embedder, 'load').mockImplementation(async (options) => {
      load.mockRestore();
      const tell = options?.onProgress as ((event: object) => void) | undefined;
      tell?.({ type: 'download_started', model: 'm', files: 2, total: 10 });
      tell?.({ type: 'download_progress', file: 'f', loaded: 5, total: 10, overall: 0.5 });
      tell?.({ type: 'something new' });
      tell?.({ type: 'model_cached', model: 'm' });
      tell?.({ type: 'preparing', model: 'm' });
      tell?.({ type: 'loading', model: 'm' });
      tell?.({ type: 'download_progress', file: 'late', loaded: 5, total: 10, overall: 0.5 });
      late = () => tell?.({ type: 'warning', message: 'later still' });
      return Embedder.load({ model: modelName });
    });
    const { events, onEvent, words } = recorder();
    expect(await native({ onEvent }).initialize()).toBe(true);
    expect(words()).toEqual(['checking', 'downloading', 'downloading', 'preparing', 'loading', 'ready']);
    expect(events[2]).toMatchObject({ progress: 0.5, message: 'Downloading f' });
    late();
    expect(words().at(-1)).toBe('ready');
  });

  test('answers false when the model is not there, and says why', async () => {
    const { events, onEvent } = recorder();
    const embedder = native({ modelName: './nowhere', onEvent });
    expect(await embedder.initialize()).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_MODEL_NOT_FOUND' });
    const last = { type: 'stage', stage: 'error', code: 'ERR_EMBED_MODEL_NOT_FOUND', error: embedder.lastError };
    expect(events.filter((event) => event.type === 'stage' && event.stage === 'error')).toEqual([
      expect.objectContaining(last) as unknown,
    ]);
    await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
    await rejection(embedder.restart(), 'ERR_EMBED_MODEL_NOT_FOUND');
  });

  test('is cancelled by its signal, and works afterwards', async () => {
    const embedder = native();
    const controller = new AbortController();
    const started = embedder.initialize({ signal: controller.signal });
    controller.abort('the user closed the window');
    expect(await started).toBe(false);
    expect(embedder.lastError).toMatchObject({ code: 'ERR_EMBED_ABORTED', cause: 'the user closed the window' });
    expect(await embedder.initialize({ signal: AbortSignal.abort() })).toBe(false);
    expect(await embedder.initialize()).toBe(true);
    expect(embedder.lastError).toBeUndefined();
  });

  test('is cancelled by a shutdown', async () => {
    const embedder = native();
    const started = embedder.initialize();
    await embedder.shutdown();
    expect(await started).toBe(false);
    await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
  });

  test('does not let a throwing onEvent disturb it', () => {
    const script = `
      process.on('uncaughtException', (error) => console.log('uncaught:', error.message));
      const { createTestFactory } = require('sentence-embedder');
      const embedder = createTestFactory({ onEvent() { throw new Error('mine'); } }).create();
      embedder.initialize().then((started) => setImmediate(() => console.log(started)));`;
    expect(runScript(script)).toMatchObject({ status: 0, stdout: 'uncaught: mine\nuncaught: mine\ntrue\n' });
  });

  test('a bare name is one of sentence-transformers', async () => {
    const load = jest.spyOn(Embedder, 'load').mockRejectedValue(new Error('not in this test'));
    await native({ modelName: 'all-MiniLM-L6-v2' }).initialize();
    await native({ modelName: 'owner/name' }).initialize();
    expect(load.mock.calls.map(([options]) => options?.model)).toEqual([
      'sentence-transformers/all-MiniLM-L6-v2',
      'owner/name',
    ]);
    load.mockRestore();
  });
});

/** Something that happens once, when the test says so. */
function event(): { happens: () => void; happened: Promise<void> } {
  let happens = (): void => undefined;
  const happened = new Promise<void>((resolve) => {
    happens = resolve;
  });
  return { happens, happened };
}

/** Lets everything go on that waits for nothing outside. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test.each<[string, (config: CustomConfig) => CustomEmbedder | FallbackEmbedder]>([
  ['of one kind', (config) => new CustomEmbedder(config)],
  ['with a fallback', (config) => createTestFactory({ ...config, kind: 'custom', fallback: ['test'] }).create()],
])('a call that starts an embedder %s ends at its signal, and the start goes on for the others', async (_, make) => {
  const [begin, finish] = [event(), event()];
  const embed: EmbedFunction = async (batch, options) => {
    begin.happens();
    await finish.happened;
    return ones(batch, options);
  };
  const embedder = make({ custom: { embed, fingerprint: 'mine' }, autoStart: false });
  await embedder.initialize();
  const controller = new AbortController();
  let error: EmbedError | undefined;
  embedder.embed(['a'], { signal: controller.signal }).catch((cause: unknown) => {
    error = cause as EmbedError;
  });
  await begin.happened;
  const other = embedder.embed(['b']);
  controller.abort('enough');
  await settled();
  expect(error).toMatchObject({ code: 'ERR_EMBED_ABORTED', cause: 'enough' });
  finish.happens();
  expect(await other).toEqual([[expect.any(Number), expect.any(Number)]]);
  await embedder.shutdown();
});

describe('vectors', () => {
  test('are those of the reference, as arrays and as Float32Arrays', async () => {
    const { vectors, tolerance } = reference('bert');
    const embedder = native({ batchSize: 3 });
    await embedder.initialize();
    const [plain, typed] = [await embedder.embed(texts), await embedder.embedTyped(texts)];
    expect(plain.map((row) => Float32Array.from(row))).toEqual(typed);
    plain.forEach((row, i) => {
      row.forEach((value, j) => {
        expect(Math.abs(value - (vectors[i]?.[j] ?? NaN))).toBeLessThanOrEqual(tolerance.max_abs);
      });
    });
  });

  test('are normalised as normalizeVectors says, whatever the model says', async () => {
    for (const normalizeVectors of [true, false]) {
      const embedder = native({ modelName: modelFolder('xlmr'), normalizeVectors });
      await embedder.initialize();
      const [vector = []] = await embedder.embed(['a text']);
      expect(Math.abs(Math.hypot(...vector) - 1) < 1e-5).toBe(normalizeVectors);
      expect(embedder.space?.normalize).toBe(normalizeVectors);
    }
  });
});

describe('batches', () => {
  const sizes = async (config: CustomConfig, given: string[]): Promise<number[]> => {
    const seen: number[] = [];
    const embedder = custom((batch, options) => (seen.push(batch.length), ones(batch, options)), config);
    await embedder.initialize();
    seen.length = 0;
    await embedder.embed(given);
    return seen;
  };
  const short = Array.from({ length: 150 }, (_, i) => `text ${String(i)}`);
  const long = short.map((text) => text.padEnd(300, '.'));

  test('hold 32 texts, and 64 short ones', async () => {
    expect(await sizes({}, short)).toEqual([64, 64, 22]);
    expect(await sizes({}, long)).toEqual([32, 32, 32, 32, 22]);
    expect(await sizes({}, [...long.slice(0, 20), ...short])).toEqual([32, 64, 64, 10]);
    expect(await sizes({ batchSize: 100 }, long)).toEqual([100, 50]);
  });

  test('of an interactive call go before those of bulk calls', async () => {
    const seen: string[] = [];
    const embedder = custom((batch, options) => (seen.push(batch[0] ?? ''), ones(batch, options)), { batchSize: 1 });
    await embedder.initialize();
    seen.length = 0;
    await Promise.all([embedder.embed(long.slice(0, 4)), embedder.embed(['query'])]);
    expect(seen.indexOf('query')).toBe(1);
  });

  test.each<[string, unknown, boolean]>([
    ['an array', [1, 2], true],
    ['a Float32Array', new Float32Array([1, 2]), true],
    ['a Float64Array', new Float64Array([1, 2]), true],
    ['a DataView', new DataView(new ArrayBuffer(8)), false],
    ['an Int8Array', new Int8Array([1, 2]), false],
    ['an object with a length', { length: 1, 0: 1 }, false],
  ])('of a function give vectors of numbers: %s', async (_, vector, fits) => {
    const embedder = custom((batch) => Promise.resolve(batch.map(() => vector as number[])));
    expect(await embedder.initialize()).toBe(fits);
    if (fits) expect(await embedder.embed(['a'])).toEqual([[expect.closeTo(0.447), expect.closeTo(0.894)]]);
    else expect(embedder.lastError?.message).toMatch(/received something else at index 0/);
  });

  test('of bulk calls are not starved by interactive ones: every ninth place is theirs', async () => {
    const seen: string[] = [];
    const embedder = custom((batch, options) => (seen.push(batch[0] ?? ''), ones(batch, options)), { batchSize: 1 });
    await embedder.initialize();
    seen.length = 0;
    const queries = Array.from({ length: 30 }, () => embedder.embed(['query']));
    await Promise.all([...queries, embedder.embed(long.slice(0, 2))]);
    expect(long.slice(0, 2).map((text) => seen.indexOf(text))).toEqual([9, 18]);
  });

  test('end with the call: at its signal, and when one of them has failed', async () => {
    let calls = 0;
    const embedder = custom(async (batch, options) => {
      calls += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (batch[0] === 'bad') throw new Error('cannot do that');
      return ones(batch, options);
    }, { batchSize: 1 }); // prettier-ignore
    await embedder.initialize();
    const controller = new AbortController();
    const call = embedder.embed(long, { signal: controller.signal });
    controller.abort('enough');
    expect((await rejection(call, 'ERR_EMBED_ABORTED')).cause).toBe('enough');
    calls = 0;
    const failed = await rejection(embedder.embed(['bad', ...long]), 'ERR_EMBED_INFERENCE');
    expect(failed.message).toBe('cannot do that');
    expect(failed.cause).toBeInstanceOf(Error);
    expect(await embedder.embed(['good'])).toHaveLength(1);
    expect(calls).toBeLessThan(10);
  });

  test('that take too long reject with ERR_EMBED_TIMEOUT', async () => {
    const embedder = custom(
      (batch, options) => (batch[0] === 'slow' ? new Promise(() => undefined) : ones(batch, options)),
      {
        timeout: 20,
      },
    );
    await embedder.initialize();
    await rejection(embedder.embed(['slow']), 'ERR_EMBED_TIMEOUT');
    const impatient = native({ timeout: 1, load: { threads: 1 } });
    await impatient.initialize();
    await rejection(impatient.embed(Array.from({ length: 4000 }, (_, i) => `text ${String(i)}`)), 'ERR_EMBED_TIMEOUT');
  });
});

test('a function of the host is called where AbortSignal.any is missing, as in Node 20.0', async () => {
  const any = jest.spyOn(AbortSignal, 'any').mockImplementation(() => {
    throw new TypeError('AbortSignal.any is not a function');
  });
  try {
    const embedder = custom(ones);
    expect(await embedder.initialize()).toBe(true);
    expect(await embedder.embed(['a'])).toHaveLength(1);
  } finally {
    any.mockRestore();
  }
});

describe('embedWithRetry', () => {
  /** Fails `times` times on everything but the text by which the embedder tells that the session is well. */
  const failing = (times: number, error: Error): { embed: EmbedFunction; tries: () => number } => {
    let tries = 0;
    const embed: EmbedFunction = (batch, options) => {
      if (batch[0] === PROBE) return ones(batch, options);
      tries += 1;
      return tries <= times ? Promise.reject(error) : ones(batch, options);
    };
    return { embed, tries: () => tries };
  };
  const passing = new Error('busy');

  test('tries as often as it is told, or as the configuration says', async () => {
    for (const [maxRetries, config, tries] of [
      [2, {}, 3],
      [0, {}, 1],
      [undefined, {}, 3],
      [undefined, { retries: 4 }, 5],
    ] as const) {
      const { embed, tries: tried } = failing(9, passing);
      const embedder = custom(embed, config);
      await embedder.initialize();
      await rejection(embedder.embedWithRetry(['a'], maxRetries), 'ERR_EMBED_INFERENCE');
      expect(tried()).toBe(tries);
    }
  });

  test('answers when a try works', async () => {
    const { embed, tries } = failing(2, passing);
    const embedder = custom(embed);
    await embedder.initialize();
    expect(await embedder.embedWithRetry(['a'], 2)).toHaveLength(1);
    expect(tries()).toBe(3);
  });

  test('does not try again what cannot pass, and plain embed never does', async () => {
    const codes = ['ERR_EMBED_INVALID_ARGUMENT', 'ERR_EMBED_TOO_LONG', 'ERR_EMBED_MODEL_INVALID'] as const;
    for (const code of codes) {
      const { embed, tries } = failing(9, Object.assign(new Error('no'), { code }));
      const embedder = custom(embed);
      await embedder.initialize();
      await rejection(embedder.embedWithRetry(['a'], 5), code);
      expect(tries()).toBe(1);
    }
    const { embed, tries } = failing(1, passing);
    const embedder = custom(embed);
    await embedder.initialize();
    await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE');
    expect(tries()).toBe(1);
    await rejection(embedder.embedWithRetry(['a'], -1), 'ERR_EMBED_INVALID_ARGUMENT');
  });
});

describe('a session that fails', () => {
  test('is replaced, and no call notices', async () => {
    const { events, onEvent, words } = recorder();
    const embedder = native({ onEvent, batchSize: 8 });
    await embedder.initialize();
    const expected = await embedder.embed(texts);
    const many = Array.from({ length: 20 }, () => embedder.embed(texts));
    const broken = embedder.embedder;
    await broken?.close();
    for (const vectors of await Promise.all(many)) expect(vectors).toEqual(expected);
    expect(embedder.embedder).not.toBe(broken);
    expect(events.filter(({ type }) => type === 'restart')).toMatchObject([{ reason: 'failure', attempt: 1 }]);
    expect(words().slice(3)).toEqual(['restart', 'checking', 'loading', 'ready']);
  });

  test('is left alone with autoRestart: false', async () => {
    const embedder = native({ autoRestart: false });
    await embedder.initialize();
    await embedder.embedder?.close();
    const error = await rejection(embedder.embed(['a']), 'ERR_EMBED_CLOSED');
    expect(embedder.getStats().isReady).toBe(false);
    expect(embedder.lastError).toBe(error);
    await embedder.restart();
    expect(await embedder.embed(['a'])).toHaveLength(1);
    expect(embedder.getStats().isReady).toBe(true);
  });

  test('is asked again with autoRestart: false where it may recover', async () => {
    let well = true;
    const embed: EmbedFunction = (batch, options) => (well ? ones(batch, options) : Promise.reject(new Error('down')));
    const embedder = custom(embed, { autoRestart: false });
    await embedder.initialize();
    well = false;
    await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE');
    expect(embedder.getStats().isReady).toBe(true);
    well = true;
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('is not replaced when only the text is to blame', async () => {
    const { events, onEvent } = recorder();
    const embedder = native({ modelName: makeVariant(parent, 'fails-at-run'), onEvent });
    await embedder.initialize();
    await rejection(
      embedder.embedWithRetry(['one two three four five six seven eight nine ten'], 1),
      'ERR_EMBED_INFERENCE',
    );
    expect(events.some(({ type }) => type === 'restart')).toBe(false);
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('is replaced three times at most, and then that is reported', async () => {
    let well = true;
    const { events, onEvent, words } = recorder();
    const embedder = custom((batch, options) => (well ? ones(batch, options) : Promise.reject(new Error('gone'))), {
      onEvent,
    });
    await embedder.initialize();
    well = false;
    const error = await rejection(embedder.embedWithRetry(['a'], 5), 'ERR_EMBED_INFERENCE');
    expect(error.message).toMatch(/replaced 3 times: gone/);
    expect(events.filter(({ type }) => type === 'restart')).toMatchObject([
      { attempt: 1 },
      { attempt: 2 },
      { attempt: 3 },
    ]);
    expect(words().at(-1)).toBe('error');
    expect(embedder.lastError).toBe(error);
    expect(embedder.getStats().isReady).toBe(false);
    expect(await rejection(embedder.embed(['a']), 'ERR_EMBED_INFERENCE')).toBe(error);
    well = true;
    expect(await embedder.initialize()).toBe(true);
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('is replaced without a call that its signal ends meanwhile', async () => {
    const [again, finish] = [event(), event()];
    let sessions = 0;
    const embedder = custom(async (batch, options) => {
      if (batch[0] === PROBE) sessions += 1;
      else if (sessions === 1) throw Object.assign(new Error('closed'), { code: 'ERR_EMBED_CLOSED' });
      if (sessions === 2) {
        again.happens();
        await finish.happened;
      }
      return ones(batch, options);
    });
    await embedder.initialize();
    const controller = new AbortController();
    let error: EmbedError | undefined;
    embedder.embed(['a'], { signal: controller.signal }).catch((cause: unknown) => {
      error = cause as EmbedError;
    });
    await again.happened;
    controller.abort('enough');
    await settled();
    expect(error).toMatchObject({ code: 'ERR_EMBED_ABORTED', cause: 'enough' });
    finish.happens();
    expect(await embedder.embed(['b'])).toHaveLength(1);
    expect(sessions).toBe(2);
  });

  test('that was replaced and has worked since has three more', async () => {
    let failures = 0;
    const { events, onEvent } = recorder();
    const embedder = custom(
      (batch, options) => (failures-- > 0 ? Promise.reject(new Error('gone')) : ones(batch, options)),
      { onEvent },
    );
    await embedder.initialize();
    for (let i = 0; i < 5; i++) {
      failures = 2; // the batch, and the question whether the session is well
      expect(await embedder.embed(['a'])).toHaveLength(1);
    }
    expect(events.filter(({ type }) => type === 'restart')).toHaveLength(5);
  });
});

describe('restarts', () => {
  test('are advised after maxFilesBeforeRestart calls', async () => {
    const embedder = native({ maxFilesBeforeRestart: 2, maxMemoryMB: 1_000_000 });
    await embedder.initialize();
    await embedder.embed(['a']);
    expect(await embedder.shouldRestart()).toBe(false);
    await embedder.embed(['a']);
    expect(await embedder.shouldRestart()).toBe(true);
    await embedder.restart();
    expect(await embedder.shouldRestart()).toBe(false);
  });

  test('are advised above maxMemoryMB, but not again when one did not help', async () => {
    const embedder = native({ maxMemoryMB: 1 });
    await embedder.initialize();
    expect(await embedder.shouldRestart()).toBe(true);
    await embedder.restart();
    expect(await embedder.shouldRestart()).toBe(false);
    const memory = jest.spyOn(process, 'memoryUsage') as unknown as jest.SpyInstance;
    memory.mockReturnValue({ ...process.memoryUsage(), rss: 1e12 });
    expect(await embedder.shouldRestart()).toBe(true);
    memory.mockRestore();
  });

  test('keep the old session when there can be no new one', async () => {
    const embedder = native();
    await embedder.initialize();
    const load = jest.spyOn(Embedder, 'load').mockRejectedValueOnce(new Error('disk full'));
    await rejection(embedder.restart(), 'ERR_EMBED_INFERENCE');
    load.mockRestore();
    expect(embedder.lastError?.message).toBe('disk full');
    expect(await embedder.embed(['a'])).toHaveLength(1);
  });

  test('free the old session', async () => {
    const embedder = native();
    await embedder.initialize();
    const old = embedder.embedder;
    await embedder.restart();
    expect(embedder.embedder).not.toBe(old);
    await rejection(old?.embedOne('a') ?? Promise.resolve(), 'ERR_EMBED_CLOSED');
  });

  test('move calls that outlast drainTimeout to the new session, whatever the function makes of its signal', async () => {
    let sessions = 0;
    const given: AbortSignal[] = [];
    const embedder = custom(
      (batch, options) => {
        if (batch[0] === PROBE) sessions += 1;
        else given.push(options.signal);
        return batch[0] !== PROBE && sessions === 1 ? new Promise(() => undefined) : ones(batch, options);
      },
      { drainTimeout: 10, timeout: 2 ** 31 - 1 },
    );
    await embedder.initialize();
    const call = embedder.embed(['a']);
    while (given.length === 0) await settled();
    await embedder.restart();
    expect(await call).toHaveLength(1);
    expect(sessions).toBe(2);
    expect(given.map(({ aborted, reason }) => [aborted, (reason as EmbedError | undefined)?.code])).toEqual([
      [true, 'ERR_EMBED_CLOSED'],
      [false, undefined],
    ]);
  });
});

test('a shutdown does not wait for a close() of the host that never ends', async () => {
  const close = jest.fn(() => new Promise<void>(() => undefined));
  const embedder = new CustomEmbedder({ custom: { embed: ones, fingerprint: 'mine', close }, drainTimeout: 10 });
  await embedder.initialize();
  await embedder.restart();
  await embedder.shutdown();
  expect(close).toHaveBeenCalledTimes(2);
});

test('a shutdown ends calls that outlast drainTimeout', async () => {
  const embedder = custom(
    (batch, options) => (batch[0] === PROBE ? ones(batch, options) : new Promise(() => undefined)),
    {
      drainTimeout: 10,
    },
  );
  await embedder.initialize();
  const call = embedder.embed(['for ever']);
  const waiting = embedder.embed(['behind it', 'and this']);
  await embedder.shutdown();
  await rejection(call, 'ERR_EMBED_CLOSED');
  await rejection(waiting, 'ERR_EMBED_CLOSED');
});
