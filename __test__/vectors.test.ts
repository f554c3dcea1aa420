// The vector functions as JavaScript meets them; tests/vectors.rs has their arithmetic.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  binarize,
  cosineSimilarity,
  dot,
  Embedder,
  quantizeInt8,
  topK,
  truncateDimensions,
  type EmbedError,
} from 'sentence-embedder';
import { rejection } from './support/expectations';
import { modelFolder, temporaryFolder } from './support/fixtures';

const parent = temporaryFolder();
const floats = (...numbers: number[]): Float32Array => Float32Array.from(numbers);

/** Memory that was given to somebody else. */
function detached(): Float32Array {
  const gone = floats(1, 2);
  structuredClone(gone, { transfer: [gone.buffer as ArrayBuffer] });
  return gone;
}

test('cosines and dot products', () => {
  expect(dot(floats(1, 2, 3), floats(4, 5, 6))).toBe(32);
  expect(cosineSimilarity(floats(3, 4), floats(30, 40))).toBeCloseTo(1, 6);
  expect(cosineSimilarity(floats(1, 0), floats(-2, 0))).toBe(-1);
  expect(cosineSimilarity(floats(0, 0), floats(1, 2))).toBe(0);
  expect(cosineSimilarity(floats(NaN, 0), floats(1, 2))).toBeNaN();
});

describe('topK', () => {
  const rows = [floats(0, 1), floats(1, 0), floats(NaN, 1), floats(2, 2), floats(3, 0)];
  const flat = Float32Array.from(rows.flatMap((row) => [...row]));

  test.each([
    ['a list', rows],
    ['one array', flat],
    ['a view in the midst of another', floats(9, ...flat, 9).subarray(1, 11)],
  ])('over %s: best first, of equal ones the first, none with NaN', (_, vectors) => {
    const found = topK(floats(5, 0), vectors, 3);
    expect(found.map(({ index }) => index)).toEqual([1, 4, 3]);
    expect(found.map(({ score }) => score)).toEqual([1, 1, expect.closeTo(Math.SQRT1_2, 6)]);
    expect(topK(floats(5, 0), vectors, Number.MAX_SAFE_INTEGER).map(({ index }) => index)).toEqual([1, 4, 3, 0]);
  });

  test('over nothing finds nothing', () => {
    expect(topK(floats(1), [], 1)).toEqual([]);
    expect(topK(floats(1), floats(), 1)).toEqual([]);
  });

  test('answers with values of this realm', () => {
    const found = topK(floats(5, 0), rows, 1);
    expect(found).toBeInstanceOf(Array);
    expect(found).toStrictEqual([{ index: 1, score: 1 }]);
  });
});

test('int8: values times their scale are what they were, to half a step', () => {
  const { vectors, scales } = quantizeInt8([floats(1, -0.5, 0.1), floats(0, 0, 0), floats(-254, 127, 2)]);
  expect(vectors).toEqual([Int8Array.of(127, -64, 13), Int8Array.of(0, 0, 0), Int8Array.of(-127, 64, 1)]);
  expect(vectors[0]).toBeInstanceOf(Int8Array);
  expect(vectors[1]?.buffer).toBe(vectors[0]?.buffer);
  expect([...scales]).toEqual([expect.closeTo(1 / 127), 0, 2]);
  expect(quantizeInt8([])).toEqual({ vectors: [], scales: floats() });
});

test('binary: a bit a dimension, the first is the highest', () => {
  const nine = floats(1, -1, 0, 2, 1e-30, -0, -3, 1, 0.5);
  expect(binarize([nine, nine.map((x) => -x)])).toEqual([
    Uint8Array.of(0b10011001, 0b10000000),
    Uint8Array.of(0b01000010, 0),
  ]);
  expect(binarize([])).toEqual([]);
});

describe('truncateDimensions', () => {
  const folder = join(parent, 'matryoshka');
  let embedder: Embedder;

  beforeAll(async () => {
    cpSync(modelFolder('bert'), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, matryoshka_dimensions: [16, 8] }));
    embedder = await Embedder.load({ model: folder });
  });

  afterAll(async () => {
    await embedder.close();
  });

  test('cuts to a length that the model was trained for, and scales to length 1', async () => {
    const vectors = await embedder.embedBatch(['a', 'b']);
    const cut = truncateDimensions(vectors, 16, { model: embedder.info });
    expect(cut.map((vector) => vector.length)).toEqual([16, 16]);
    cut.forEach((vector, row) => {
      expect(dot(vector, vector)).toBeCloseTo(1, 6);
      expect(cosineSimilarity(vector, vectors[row]?.slice(0, 16) ?? floats(0))).toBeCloseTo(1, 6);
    });
    expect(embedder.info.matryoshkaDimensions).toEqual([16, 8]);
    expect(Object.isFrozen(embedder.info.matryoshkaDimensions)).toBe(true);
  });

  test('refuses other lengths, unless it is forced or nothing is cut', async () => {
    const vectors = await embedder.embedBatch(['a', 'b']);
    const plain = { matryoshkaDimensions: [] };
    const refused = (length: number, options?: object): string =>
      refusal(() => truncateDimensions(vectors, length, options));
    expect(refused(12, { model: embedder.info })).toMatch(/trained for \(16, 8\).* but received number 12$/);
    expect(refused(16, { model: plain })).toContain('matryoshka_dimensions');
    expect(refused(16)).toContain('options.model');
    expect(refused(16, { force: false })).toContain('options.model');
    expect(refused(33, { force: true })).toContain('from 1 to 32');
    expect(refused(0, { force: true })).toContain('dimensions');
    expect(truncateDimensions(vectors, 12, { force: true })[1]).toHaveLength(12);
    expect(truncateDimensions(vectors, 32)[1]).toHaveLength(32);
    expect(truncateDimensions([floats(0, 0)], 1, { force: true })).toEqual([floats(0)]);
  });
});

test('a model whose matryoshka_dimensions are no lengths is refused', async () => {
  const folder = join(parent, 'odd');
  cpSync(modelFolder('bert'), folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'bert', matryoshka_dimensions: 'some' }));
  const error = await rejection(Embedder.load({ model: folder }), 'ERR_EMBED_MODEL_INVALID');
  expect(error.message).toContain('config.json');
});

/** The message that a call is refused with. */
function refusal(call: () => unknown): string {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Error);
  expect((thrown as EmbedError).code).toBe('ERR_EMBED_INVALID_ARGUMENT');
  return (thrown as EmbedError).message;
}

const one = floats(1, 2);
const wrong: [string, () => unknown, RegExp][] = [
  ['no vector', () => dot(undefined as never, one), /a Float32Array for a but received undefined/],
  ['plain numbers', () => cosineSimilarity(one, [1, 2] as never), /a Float32Array for b but received an array/],
  ['doubles', () => dot(one, new Float64Array(2) as never), /a Float32Array for b but received an object/],
  ['an empty vector', () => dot(floats(), floats()), /with numbers for a but received an empty one/],
  ['a detached one', () => cosineSimilarity(one, detached()), /with numbers for b but received an empty one/],
  ['two lengths', () => dot(one, floats(1, 2, 3)), /2 numbers for b, .* but received 3/],
  ['a query with NaN', () => topK(floats(NaN, 1), [one], 1), /finite numbers for query but received NaN at index 0/],
  [
    'no vectors',
    () => topK(one, null as never, 1),
    /a Float32Array, or an array of them, for vectors but received null/,
  ],
  ['a row of another length', () => topK(one, [one, floats(1)], 1), /2 numbers for vectors\[1\], .* but received 1/],
  ['a row that is none', () => topK(one, [one, 'x' as never], 1), /for vectors\[1\] but received string "x"/],
  ['rows that are holes', () => topK(one, new Array(2 ** 32 - 1), 1), /for vectors\[0\] but received undefined/],
  [
    'half a row',
    () => topK(one, floats(1, 2, 3), 1),
    /rows of 2 numbers for vectors, .* but received 3 numbers in all/,
  ],
  ['k of 0', () => topK(one, [one], 0), /a whole number from 1 to 9007199254740991 for k but received number 0/],
  ['k of a half', () => topK(one, [one], 0.5), /for k but received number 0.5/],
  ['k without end', () => topK(one, [one], Infinity), /for k but received number Infinity/],
  ['NaN for int8', () => quantizeInt8([one, floats(1, NaN)]), /for vectors\[1\] but received NaN at index 1/],
  ['infinity for bits', () => binarize([floats(Infinity)]), /for vectors\[0\] but received inf at index 0/],
  ['one vector for a list', () => binarize(one as never), /an array of Float32Arrays for vectors/],
  ['lengths for int8', () => quantizeInt8([one, floats(1)]), /2 numbers for vectors\[1\]/],
  ['a typo', () => truncateDimensions([one], 1, { forced: true } as never), /known names .* options\.forced/],
  ['no info', () => truncateDimensions([one], 1, { model: {} as never }), /the info of an embedder for options\.model/],
];

test.each(wrong)('%s is refused', (_, call, message) => {
  expect(refusal(call)).toMatch(message);
});

test('a list that takes away memory while it is read does no harm', () => {
  const victim = floats(1, 2);
  const vectors = [victim, one];
  Object.defineProperty(vectors, 1, {
    get: () => {
      structuredClone(victim, { transfer: [victim.buffer as ArrayBuffer] });
      return one;
    },
  });
  expect(refusal(() => topK(one, vectors, 1))).toContain('an empty one');
});
