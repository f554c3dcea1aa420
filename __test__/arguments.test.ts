// Every wrong argument rejects, never throws, with a message that says what was expected, for what, and what came.

import { Embedder, topK, type EmbedOptions } from 'sentence-embedder';
import { rejection } from './support/expectations';
import { modelFolder } from './support/fixtures';

const model = modelFolder('bert');
let embedder: Embedder;

beforeAll(async () => {
  embedder = await Embedder.load({ model });
});

afterAll(async () => {
  await embedder.close();
});

/** A message in the one form that all refusals have. */
const refusal = (expected: string, what: string, received: string): string =>
  `Expected ${expected} for ${what} but received ${received}`;

test('a proxy of an array, as reactive state is, counts as the array', async () => {
  const texts = new Proxy(['a', 'b'], {});
  const expected = await embedder.embedBatch(['a', 'b']);
  await expect(embedder.embedBatch(texts)).resolves.toEqual(expected);
  await expect(embedder.countTokens(texts)).resolves.toHaveLength(2);
  expect(topK(expected[1]!, new Proxy(expected, {}), 1)).toMatchObject([{ index: 1 }]);
  const wrong = await rejection(embedder.embedBatch(new Proxy(['a', 4 as never], {})), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(wrong.message).toBe(refusal('a string', 'texts[1]', 'number 4'));
  await rejection(embedder.embedBatch(new Proxy(new Array<string>(4e9), {})), 'ERR_EMBED_INVALID_ARGUMENT');
});

test('options that are inherited count like their owner’s, with a callback and in a stream as well', async () => {
  const wrong = Object.create({ priority: 'urgent' }) as EmbedOptions;
  const withCallback = Object.assign(Object.create(wrong), { onProgress: () => undefined }) as EmbedOptions;
  for (const options of [wrong, withCallback]) {
    await rejection(embedder.embedBatch(['a'], options), 'ERR_EMBED_INVALID_ARGUMENT');
  }
  await rejection(embedder.embedStream(['a'], wrong).next(), 'ERR_EMBED_INVALID_ARGUMENT');
});

/* eslint-disable no-sparse-arrays -- a hole is one of the wrong arguments */
const wrongTexts: [string, unknown, string][] = [
  ['nothing', undefined, refusal('an array of strings', 'texts', 'undefined')],
  ['null', null, refusal('an array of strings', 'texts', 'null')],
  ['a string', 'text', refusal('an array of strings', 'texts', 'string "text"')],
  ['a number', 42, refusal('an array of strings', 'texts', 'number 42')],
  ['an object', { length: 1 }, refusal('an array of strings', 'texts', 'an object')],
  ['a set', new Set(['a']), refusal('an array of strings', 'texts', 'an object')],
  ['a number in the list', ['a', 'b', 'c', 42], refusal('a string', 'texts[3]', 'number 42')],
  ['null in the list', [null], refusal('a string', 'texts[0]', 'null')],
  ['undefined in the list', ['a', undefined], refusal('a string', 'texts[1]', 'undefined')],
  ['a list in the list', ['a', ['b']], refusal('a string', 'texts[1]', 'an array')],
  ['a string object', [new String('a')], refusal('a string', 'texts[0]', 'an object')],
  ['a symbol', [Symbol('a')], refusal('a string', 'texts[0]', 'a symbol')],
  ['a bigint', [1n], refusal('a string', 'texts[0]', 'bigint 1')],
];

test.each(wrongTexts)('texts: %s', async (_, texts, message) => {
  for (const method of ['embedBatch', 'embedDetailed', 'countTokens'] as const) {
    const error = await rejection(embedder[method](texts as string[]), 'ERR_EMBED_INVALID_ARGUMENT');
    expect(error.message).toBe(message);
  }
});

test('texts: a hole', async () => {
  const error = await rejection(embedder.embedBatch(['a', , 'b'] as string[]), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(error.message).toMatch(/Expected a string for texts\[1\] but received (nothing|undefined)/);
});

test('texts: four thousand million holes', async () => {
  const texts = ['a'];
  texts.length = 2 ** 32 - 1;
  const error = await rejection(embedder.embedBatch(texts), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(error.message).toMatch(/Expected a string for texts\[1\] but received (nothing|undefined)/);
});

test.each([
  ['nothing', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a number', 42, 'number 42'],
  ['a list', ['a'], 'an array'],
  ['a function', () => 'a', 'a function'],
])('text: %s', async (_, text, received) => {
  const error = await rejection(embedder.embedOne(text as never), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(error.message).toBe(refusal('a string', 'text', received));
});

const WHOLE = (most: number): string => `a whole number from 1 to ${String(most)}`;

const wrongEmbedOptions: [unknown, string][] = [
  [null, refusal('an object', 'options', 'null')],
  [42, refusal('an object', 'options', 'number 42')],
  ['fast', refusal('an object', 'options', 'string "fast"')],
  [[], refusal('an object', 'options', 'an array')],
  [{ prioritty: 'bulk' }, 'Expected only known names in options but received options.prioritty (string "bulk")'],
  [{ model }, 'options.model'],
  [{ priority: 'urgent' }, refusal("'interactive' or 'bulk'", 'options.priority', 'string "urgent"')],
  [{ priority: 1 }, refusal("'interactive' or 'bulk'", 'options.priority', 'number 1')],
  [{ timeoutMs: 0 }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'number 0')],
  [{ timeoutMs: -1 }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'number -1')],
  [{ timeoutMs: 1.5 }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'number 1.5')],
  [{ timeoutMs: NaN }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'number NaN')],
  [{ timeoutMs: Infinity }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'number Infinity')],
  [{ timeoutMs: 2147483648 }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'number 2147483648')],
  [{ timeoutMs: '10' }, refusal(WHOLE(2147483647), 'options.timeoutMs', 'string "10"')],
  [{ overflow: 'ignore' }, refusal("'truncate' or 'error'", 'options.overflow', 'string "ignore"')],
  [{ normalize: 1 }, refusal('true or false', 'options.normalize', 'number 1')],
  [{ normalize: null }, refusal('true or false', 'options.normalize', 'null')],
  [{ onProgress: true }, refusal('a function', 'options.onProgress', 'boolean true')],
  [{ signal: 'stop' }, refusal('an AbortSignal', 'options.signal', 'string "stop"')],
  [{ signal: {} }, refusal('an AbortSignal', 'options.signal', 'an object')],
  [{ signal: { aborted: true } }, refusal('an AbortSignal', 'options.signal', 'an object')],
  [{ signal: null }, refusal('an AbortSignal', 'options.signal', 'null')],
];

test.each(wrongEmbedOptions)('options of a call: %p', async (options, message) => {
  for (const call of [
    embedder.embedOne('a', options as object),
    embedder.embedBatch(['a'], options as object),
    embedder.embedDetailed(['a'], options as object),
  ]) {
    expect((await rejection(call, 'ERR_EMBED_INVALID_ARGUMENT')).message).toContain(message);
  }
});

const wrongLoadOptions: [unknown, string][] = [
  [null, refusal('an object', 'options', 'null')],
  ['model', refusal('an object', 'options', 'string "model"')],
  [{ modle: model }, 'Expected only known names in options but received options.modle'],
  [{ priority: 'bulk' }, 'options.priority'],
  [{ model: 42 }, refusal('a string', 'options.model', 'number 42')],
  [{ model: '' }, 'for options.model but received string ""'],
  [{ model: 'a\0b' }, 'for options.model but received string'],
  [{ revision: 1 }, refusal('a string', 'options.revision', 'number 1')],
  [{ precision: 'int4' }, refusal("'fp32' or 'int8'", 'options.precision', 'string "int4"')],
  [{ modelFile: false }, refusal('a string', 'options.modelFile', 'boolean false')],
  [{ cacheDir: 7 }, refusal('a string', 'options.cacheDir', 'number 7')],
  [{ offline: 'yes' }, refusal('true or false', 'options.offline', 'string "yes"')],
  [{ prepare: 0 }, refusal('true or false', 'options.prepare', 'number 0')],
  [{ threads: 0 }, refusal(WHOLE(256), 'options.threads', 'number 0')],
  [{ threads: -4 }, refusal(WHOLE(256), 'options.threads', 'number -4')],
  [{ threads: 257 }, refusal(WHOLE(256), 'options.threads', 'number 257')],
  [{ threads: 2n }, refusal(WHOLE(256), 'options.threads', 'bigint 2')],
  [{ maxTokens: 0 }, 'for options.maxTokens but received number 0'],
  [{ maxTokens: 65 }, 'Expected at most 64 for options.maxTokens'],
  [{ pooling: 'sum' }, refusal("'mean' or 'cls' or 'max'", 'options.pooling', 'string "sum"')],
  [{ normalize: 'l2' }, refusal('true or false', 'options.normalize', 'string "l2"')],
  [{ onProgress: {} }, refusal('a function', 'options.onProgress', 'an object')],
  [{ signal: new AbortController() }, refusal('an AbortSignal', 'options.signal', 'an object')],
];

test.each(wrongLoadOptions)('options of a load: %p', async (options, message) => {
  const given: unknown =
    typeof options === 'object' && options !== null && !('model' in options) ? { model, ...options } : options;
  const error = await rejection(Embedder.load(given as object), 'ERR_EMBED_INVALID_ARGUMENT');
  expect(error.message).toContain(message);
});

test('an option that is undefined is an option that is not given', async () => {
  const nothing = { priority: undefined, signal: undefined, onProgress: undefined } as object;
  await expect(embedder.embedOne('a', nothing)).resolves.toEqual(await embedder.embedOne('a'));
});

test('an exception of a getter among the options is what the call rejects with', async () => {
  const thrown = new Error('thrown by the getter');
  const options = {
    get normalize(): boolean {
      throw thrown;
    },
  };
  await expect(embedder.embedOne('a', options)).rejects.toBe(thrown);
});

test('the embedder works after all of this', async () => {
  await expect(embedder.embedBatch(['a', ''])).resolves.toHaveLength(2);
});

test('an embedder cannot be made without loading a model', () => {
  const Constructor = Embedder as unknown as new () => Embedder;
  expect(() => new Constructor()).toThrow();
});
