// Arguments that nobody would write, made up by fast-check: every call of every public function ends, with the right shape, with a code,
// or with the exception that the argument itself threw.

import fc from 'fast-check';
import { once } from 'node:events';
import { createContext, runInContext } from 'node:vm';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import {
  checkIndexStamp,
  createProductionFactory,
  CustomEmbedder,
  Embedder,
  EmbedderFactory,
  InProcessEmbedder,
  IsolatedEmbedder,
} from 'sentence-embedder';
import { TestEmbedder } from 'sentence-embedder/testing';
import { cases } from './support/cases';
import { modelFolder, temporaryFolder } from './support/fixtures';

/** Longest that a call may take; the machine may be busy. */
const PATIENCE = 60_000;

const model = modelFolder('bert');
const folder = temporaryFolder();
const realm = createContext({});
let embedder: Embedder;
let dropIn: InProcessEmbedder;
let pretended: TestEmbedder;

/** Changes the environment that native code sees, of which jest gives tests a copy. */
async function setOffline(offline: boolean): Promise<void> {
  const change = offline ? 'process.env.HF_HUB_OFFLINE = "1"' : 'delete process.env.HF_HUB_OFFLINE';
  await once(new Worker(change, { eval: true, env: SHARE_ENV }), 'exit');
}

beforeAll(async () => {
  await setOffline(true); // some made-up values are names of models
  embedder = await Embedder.load({ model, threads: 1 });
  dropIn = new InProcessEmbedder({ modelName: model, retryDelay: 0, load: { threads: 1 } });
  pretended = new TestEmbedder({ dimension: 4 });
  await Promise.all([dropIn.initialize(), pretended.initialize()]);
});
afterAll(async () => {
  await Promise.all([embedder.close(), dropIn.shutdown(), pretended.shutdown()]);
  await setOffline(false);
});

/** What hostile values throw. */
class Hostile extends Error {}
const refuse = (): never => {
  throw new Hostile('thrown by an argument');
};

const TRAPS = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'] as const;

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Float32Array {
  const array = new Float32Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** A value that is made when the call is: fast-check looks at what it makes, which hostile values do not bear. */
class Later {
  readonly make: () => unknown;
  readonly name: string;

  constructor(make: () => unknown, name = String(make)) {
    this.make = make;
    this.name = name;
  }

  [fc.toStringMethod](): string {
    return this.name;
  }
}

/** What was made up, with everything in it made. */
function made(it: unknown): unknown {
  if (it instanceof Later) return it.make();
  if (Array.isArray(it)) return it.some(isLate) ? it.map(made) : it;
  if (typeof it !== 'object' || it === null || !Object.values(it).some(isLate)) return it;
  return Object.fromEntries(Object.entries(it).map(([name, field]) => [name, made(field)]));
}
const isLate = (it: unknown): boolean => it instanceof Later;

/** Values that do something when they are looked at, or are not what they seem. */
const odd = fc
  .constantFrom<(() => unknown)[]>(
    ...TRAPS.flatMap((trap) => [() => new Proxy({}, { [trap]: refuse }), () => new Proxy(['a'], { [trap]: refuse })]),
    () => revoked({}),
    () => revoked(['a']),
    detached,
    () => ({ toString: refuse, valueOf: refuse, [Symbol.toPrimitive]: refuse }),
    () => Object.defineProperty({}, 'length', { get: refuse, enumerable: true }),
    () => ({ length: 2 ** 32 }),
    () => Object.setPrototypeOf(['a'], null) as unknown,
    () => JSON.parse('{"__proto__": {"timeoutMs": "polluted"}, "constructor": {"prototype": {}}}') as unknown,
    ...['[]', '["a"]', '({})', '(() => 1)', 'new String("a")', 'new Error("a")', 'Symbol.iterator'].map(
      (source) => () => runInContext(source, realm) as unknown,
    ),
    ...[Symbol('a'), 10n ** 30n, -0, NaN, new Date(NaN)].map((it) => () => it),
    () => ({ addEventListener: refuse, removeEventListener: refuse, aborted: false }),
    () =>
      Object.defineProperty({ addEventListener: () => 1, removeEventListener: () => 1 }, 'aborted', { get: refuse }),
    () => ({ [Symbol.iterator]: refuse }),
  )
  .map((make) => new Later(make));

const value = fc.oneof(
  odd,
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withSparseArray: true, withNullPrototype: true, withObjectString: true, withBoxedValues: true, maxDepth: 2, maxKeys: 4 }),
); // prettier-ignore

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme-composite', maxLength: 30 }),
  fc.constantFrom('', '\0', '\ud800', 'a\udfff', '\u{10ffff}', '[SEP] [MASK]'),
  fc.nat(99).map((nth) => 'x '.repeat(nth === 0 ? 200_000 : nth)),
);

/** The same list, spoilt. */
const spoilt = (spoil: (list: unknown[]) => unknown): fc.Arbitrary<unknown> =>
  fc
    .array(text, { minLength: 1, maxLength: 4 })
    .map((list) => new Later(() => spoil([...list]), `${String(spoil)} of ${fc.stringify(list)}`));
const getter = (list: unknown[], get: () => unknown): unknown => Object.defineProperty(list, 0, { get });

/** Lists of texts, most of them good; some change while they are read. */
const texts: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: fc.array(text, { maxLength: 5 }) },
  fc.array(fc.oneof(text, value), { maxLength: 4 }),
  spoilt((list) => new Proxy(list, {})),
  spoilt((list) => runInContext(JSON.stringify(list), realm) as unknown),
  spoilt((list) => getter(list, refuse)),
  spoilt((list) => getter(list, () => { list.length = 1; return 'shrunk'; })),
  spoilt((list) => getter(list, () => { list.push('grown'); return 'a'; })),
  spoilt((list) => Object.create(list) as unknown),
  spoilt((list) => new Set(list)),
  value,
); // prettier-ignore

const signal = fc
  .constantFrom<(() => unknown)[]>(
    () => AbortSignal.abort('before'),
    () => AbortSignal.timeout(1),
    () => new AbortController().signal,
    () => {
      const controller = new AbortController();
      queueMicrotask(() => {
        controller.abort();
      });
      return controller.signal;
    },
  )
  .map((make) => new Later(make));

/** An object with some of the options: right ones, wrong ones, and getters that throw or change it. */
function options(right: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  const fields = fc.record(
    Object.fromEntries(
      Object.entries(right).map(([name, it]) => [name, fc.oneof({ weight: 4, arbitrary: it }, { weight: 1, arbitrary: value })]),
    ),
    { requiredKeys: [] },
  ); // prettier-ignore
  const names = fc.constantFrom(...Object.keys(right));
  const spoiltFields = (
    spoil: (fields: object, name: string, other: string, changed: unknown) => unknown,
  ): fc.Arbitrary<unknown> =>
    fc.tuple(fields, names, names, value).map(([it, name, other, changed]) => {
      const make = (): unknown => spoil({ ...(made(it) as object) }, name, other, made(changed));
      return new Later(make, `${String(spoil)} of ${fc.stringify([it, name, other, changed])}`);
    });
  return fc.oneof(
    { weight: 6, arbitrary: fields },
    spoiltFields((it, name) => Object.defineProperty(it, name, { get: refuse, enumerable: true })),
    spoiltFields((it, name, other, changed) => {
      const get = (): unknown => (Reflect.set(it, other, changed), changed);
      return name === other ? it : Object.defineProperty(it, name, { get, enumerable: true });
    }),
    spoiltFields((it) => Object.freeze(Object.assign(Object.create(null) as object, it))),
    spoiltFields((it) => Object.create(it) as unknown),
    spoiltFields((it) => new Proxy(it, {})),
    fc.constant(undefined),
    value,
  ); // prettier-ignore
}

const callback = fc.constantFrom(
  () => undefined,
  () => 1,
);
const ofCall = {
  priority: fc.constantFrom('interactive', 'bulk'),
  signal,
  timeoutMs: fc.constantFrom(1, 50, 2_147_483_647),
  overflow: fc.constantFrom('truncate', 'error'),
  normalize: fc.boolean(),
  onProgress: callback,
};
const ofLoad = {
  model: fc.constantFrom(model, folder, './nowhere'),
  modelFile: fc.constantFrom('onnx/model.onnx', 'nothing.onnx', '../../etc/passwd'),
  cacheDir: fc.constant(folder),
  offline: fc.constant(true),
  prepare: fc.boolean(),
  threads: fc.constantFrom(1, 2),
  maxTokens: fc.constantFrom(2, 64),
  precision: fc.constantFrom('fp32', 'int8'),
  pooling: fc.constantFrom('mean', 'max'),
  normalize: fc.boolean(),
  onProgress: callback,
  signal,
};
const ofDropIn = {
  modelName: fc.constantFrom(model, './nowhere'),
  batchSize: fc.constantFrom(1, 32),
  timeout: fc.constant(1000),
  retries: fc.constantFrom(0, 1),
  retryDelay: fc.constant(0),
  autoStart: fc.constant(false),
  load: fc.constant({ threads: 1 }),
  onEvent: callback,
};

type Check = (answer: unknown) => boolean;
const isVector: Check = (it) => it instanceof Float32Array && it.length === embedder.info.dimension && it.every(Number.isFinite); // prettier-ignore
const areVectors: Check = (it) => Array.isArray(it) && it.every(isVector);
const anything: Check = () => true;

async function drained(source: unknown, given: unknown): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { vector } of embedder.embedStream(source as string[], given as object)) {
    found.push(vector);
    if (found.length === 20) break;
  }
  return found;
}

/** Loads, and closes again by `await using` where there is one. */
async function loaded(given: unknown): Promise<unknown> {
  const fresh = await Embedder.load(given as object);
  await fresh[Symbol.asyncDispose]();
  return fresh.info.dimension;
}

const calls: Record<string, [fc.Arbitrary<unknown[]>, (...given: never[]) => unknown, Check]> = {
  embedOne: [fc.tuple(fc.oneof(text, value), options(ofCall)), (it, given) => embedder.embedOne(it, given), isVector],
  embedBatch: [fc.tuple(texts, options(ofCall)), (it, given) => embedder.embedBatch(it, given), areVectors],
  embedDetailed: [fc.tuple(texts, options(ofCall)), (it, given) => embedder.embedDetailed(it, given), (it) => areVectors((it as { vectors: unknown }).vectors)],
  embedStream: [fc.tuple(texts, options({ ...ofCall, batchSize: fc.constantFrom(1, 2, 256) })), drained, areVectors],
  countTokens: [fc.tuple(texts), (it) => embedder.countTokens(it), (it) => it instanceof Uint32Array],
  load: [fc.tuple(options({ ...ofLoad, model: fc.constantFrom(folder, './nowhere') })), loaded, (it) => typeof it === 'number'],
  'a drop-in embed': [fc.tuple(texts, options({ priority: ofCall.priority, signal })), (it, given) => dropIn.embedTyped(it, given), areVectors],
  embedWithRetry: [fc.tuple(texts, fc.oneof(fc.nat(2), value), options({ signal })), (it, tries, given) => dropIn.embedWithRetry(it, tries, given), Array.isArray],
  'a test embed': [fc.tuple(texts, options({ signal })), (it, given) => pretended.embed(it, given), Array.isArray],
  'a configuration': [fc.tuple(options(ofDropIn), options({ signal })), async (config, given) => { const it = new InProcessEmbedder(config); const started = await it.initialize(given); await it.shutdown(); return started; }, (it) => typeof it === 'boolean'],
  'a configuration of other kinds': [fc.tuple(options(ofDropIn)), (config) => [new CustomEmbedder(config).kind, new IsolatedEmbedder(config).kind], anything],
  'a factory': [fc.tuple(options({ ...ofDropIn, kind: fc.constantFrom('native', 'isolated', 'test'), fallback: fc.constant(['test']), indexDir: fc.constant(folder) })), (config) => [new EmbedderFactory(config).validateConfig(), createProductionFactory(config).create().kind], anything],
  'an index check': [fc.tuple(fc.oneof(fc.constant(folder), value), fc.oneof(fc.constant(new Later(() => dropIn, 'an embedder')), value)), (dir, it) => checkIndexStamp(dir, it), anything],
}; // prettier-ignore

/** Whether an error is what this package promises, or the argument's own. */
function isKnown(error: unknown): boolean {
  if (error instanceof Hostile) return true;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && code.startsWith('ERR_EMBED_')) return code !== 'ERR_EMBED_INTERNAL';
  return typeof message === 'string' && /proxy|detached/i.test(message); // what the engine throws for it
}

test.each(Object.entries(calls))('%s', async (_, [given, call, isRight]) => {
  const property = fc.asyncProperty(given, async (parameters) => {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise((_resolve, reject) => {
      timer = setTimeout(() => { reject(new Error('It hangs')); }, PATIENCE); // prettier-ignore
    });
    try {
      const answer = await Promise.race([Promise.resolve().then(() => call(...(parameters.map(made) as never[]))), limit]);
      if (!isRight(answer)) throw new Error('Its answer has the wrong shape');
    } catch (error) {
      if (!isKnown(error)) throw error;
    } finally {
      clearTimeout(timer);
    }
  });
  await fc.assert(property, cases(1 / Object.keys(calls).length));
}, 3_600_000); // prettier-ignore

test('everything works after all of this, and no prototype has changed', async () => {
  expect(await embedder.embedBatch(['a', ''])).toHaveLength(2);
  expect(await dropIn.embed(['a'])).toHaveLength(1);
  expect('timeoutMs' in {}).toBe(false);
});
