// Index stamps and the fingerprint that they compare.

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  checkIndexStamp,
  Embedder,
  InProcessEmbedder,
  OllamaEmbedder,
  readIndexStamp,
  writeIndexStamp,
  type LoadOptions,
  type VectorSpace,
} from 'sentence-embedder';
import { TestEmbedder } from 'sentence-embedder/testing';
import { rejection } from '../support/expectations';
import { makeVariant, modelFolder, temporaryFolder } from '../support/fixtures';

const parent = temporaryFolder();
const model = modelFolder('bert');
let count = 0;
const freshDir = (): string => {
  const dir = join(parent, `index ${String(count++)}`);
  mkdirSync(dir);
  return dir;
};

const NAME = 'sentence-transformers/paraphrase-multilingual-mpnet-base-v2';
const native: VectorSpace = {
  kind: 'native',
  model: NAME,
  revision: 'abc',
  dimension: 768,
  maxTokens: 128,
  pooling: 'mean',
  normalize: true,
  precision: 'fp32',
  fingerprint: 'f1',
};
const sidecar: VectorSpace = { ...native, kind: 'sidecar', revision: null, maxTokens: null, fingerprint: null };
const unknown = { revision: null, maxTokens: null, pooling: null, precision: null };
const ollama: VectorSpace = { ...native, ...unknown, kind: 'ollama', model: 'bge-m3', fingerprint: 'd1' };

const verdict = async (was: VectorSpace, now: VectorSpace): Promise<{ verdict: string; reason: string }> => {
  const dir = freshDir();
  await writeIndexStamp(dir, { space: was });
  return checkIndexStamp(dir, { space: now });
};

describe('fingerprint', () => {
  const fingerprint = async (folder: string, options: LoadOptions = {}): Promise<string> => {
    const embedder = await Embedder.load({ model: folder, ...options });
    await embedder.close();
    return embedder.info.fingerprint;
  };

  test('is the same for the same files, wherever they are', async () => {
    const copy = join(parent, 'a copy under another name');
    cpSync(model, copy, { recursive: true });
    const expected = await fingerprint(model);
    expect(expected).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprint(copy)).toBe(expected);
    expect(await fingerprint(model, { prepare: false })).toBe(expected);
    expect(await fingerprint(model, { prepare: true, cacheDir: join(parent, 'cache') })).toBe(expected);
    expect(await fingerprint(model, { threads: 1, normalize: true, maxTokens: 24 })).toBe(expected);
  });

  test('differs with everything that changes vectors', async () => {
    const weights = makeVariant(parent, 'external-data');
    const otherWeights = join(parent, 'other external data');
    cpSync(weights, otherWeights, { recursive: true });
    const data = join(otherWeights, 'onnx', 'model.onnx_data');
    const bytes = readFileSync(data);
    bytes.writeFloatLE(bytes.readFloatLE(0) + 0.5, 0);
    writeFileSync(data, bytes);
    const tokenizer = join(parent, 'another tokenizer');
    cpSync(model, tokenizer, { recursive: true });
    const file = join(tokenizer, 'tokenizer.json');
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`);
    const all = await Promise.all([
      fingerprint(model),
      fingerprint(modelFolder('mpnet')),
      fingerprint(model, { pooling: 'cls' }),
      fingerprint(model, { normalize: false }),
      fingerprint(model, { maxTokens: 10 }),
      fingerprint(model, { precision: 'int8', cacheDir: join(parent, 'cache') }),
      fingerprint(tokenizer),
      fingerprint(weights),
      fingerprint(otherWeights),
    ]);
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('a stamp', () => {
  test('of an Embedder and of an InProcessEmbedder is the same, and is read as it was written', async () => {
    const dir = join(parent, 'new', 'index');
    const embedder = await Embedder.load({ model, normalize: true });
    const dropIn = new InProcessEmbedder({ modelName: model });
    await dropIn.initialize();
    const written = await writeIndexStamp(dir, embedder);
    const { revision, dimension, maxTokens, pooling, normalize, precision, fingerprint } = embedder.info;
    const info = { revision, dimension, maxTokens, pooling, normalize, precision, fingerprint };
    expect(written).toMatchObject({ kind: 'native', model: embedder.info.model, ...info });
    expect(await readIndexStamp(dir)).toEqual(written);
    expect(await checkIndexStamp(dir, dropIn)).toMatchObject({ verdict: 'match', stamp: written });
    expect(readdirSync(dir)).toEqual(['.embedding-stamp.json']);
    await Promise.all([embedder.close(), dropIn.shutdown()]);
  });

  test('needs an embedder that has started', async () => {
    await rejection(writeIndexStamp(freshDir(), new TestEmbedder()), 'ERR_EMBED_CLOSED');
    await rejection(checkIndexStamp(freshDir(), new OllamaEmbedder({ modelName: 'm' })), 'ERR_EMBED_CLOSED');
  });

  test('refuses what is no embedder and no folder, and says why it cannot be written', async () => {
    const file = join(freshDir(), 'file');
    writeFileSync(file, '');
    for (const [dir, embedder] of [
      [file, { space: native }],
      ['', { space: native }],
      [parent, null],
    ] as const) {
      await rejection(writeIndexStamp(dir, embedder as never), 'ERR_EMBED_INVALID_ARGUMENT');
    }
    await rejection(checkIndexStamp(undefined as never, { space: native }), 'ERR_EMBED_INVALID_ARGUMENT');
  });

  test('is always whole for whoever reads it while it is written', async () => {
    const dir = freshDir();
    await writeIndexStamp(dir, { space: native });
    const writing = Promise.all(
      Array.from({ length: 50 }, (_, i) => writeIndexStamp(dir, { space: { ...native, dimension: i } })),
    );
    const state = { done: false };
    void writing.then(() => {
      state.done = true;
    });
    let reads = 0;
    do {
      expect(await readIndexStamp(dir)).toBeDefined();
      reads += 1;
    } while (!state.done);
    await writing;
    expect(reads).toBeGreaterThan(0);
    expect(readdirSync(dir)).toEqual(['.embedding-stamp.json']);
  });

  test.each([
    ['nothing', undefined, /There is no stamp/],
    ['half of a stamp', '{"format":1,"kind":"nat', /is not JSON/],
    ['another file', '{"name":"settings"}', /is not a stamp/],
    ['a list', '[]', /is not a stamp/],
    ['null', 'null', /is not a stamp/],
    ['zeros', '\0\0\0\0', /is not JSON/],
    ['a newer stamp', '{"format":2,"space":{}}', /newer version/],
    ['a stamp of a format that is no number', '{"format":{"toString":1,"valueOf":1}}', /is not a stamp/],
    [
      'a stamp of a kind that is not known',
      JSON.stringify({ format: 1, ...native, kind: 'cloud', dbVersion: null, writtenAt: '' }),
      /is not a stamp/,
    ],
  ])('that is %s is missing', async (_, content, reason) => {
    const dir = freshDir();
    if (content !== undefined) writeFileSync(join(dir, '.embedding-stamp.json'), content);
    expect(await readIndexStamp(dir)).toBeUndefined();
    expect(await checkIndexStamp(dir, { space: native })).toEqual({
      verdict: 'missing',
      reason: expect.stringMatching(reason) as string,
      dbVersion: null,
    });
  });

  test('that is a folder, or whose folder is not there, is missing', async () => {
    const dir = freshDir();
    mkdirSync(join(dir, '.embedding-stamp.json'));
    expect((await checkIndexStamp(dir, { space: native })).verdict).toBe('missing');
    expect((await checkIndexStamp(join(dir, 'nowhere'), { space: native })).verdict).toBe('missing');
  });
});

describe('the verdict', () => {
  test('on the same space is match', async () => {
    expect(await verdict(native, native)).toMatchObject({ verdict: 'match' });
    expect(await verdict(native, { ...native, model: 'a copy' })).toMatchObject({ verdict: 'match' });
    expect(await verdict(sidecar, sidecar)).toMatchObject({ verdict: 'match' });
    expect(await verdict(ollama, ollama)).toMatchObject({ verdict: 'match' });
  });

  test('between fp32 here and fp32 of sentence-transformers is compatible, both ways', async () => {
    expect(await verdict(sidecar, native)).toMatchObject({ verdict: 'compatible' });
    expect(await verdict(native, sidecar)).toMatchObject({ verdict: 'compatible' });
    const bare = NAME.replace(/.*\//, '');
    for (const model of [bare, `/srv/models/${bare}`, `C:\\models\\${bare}\\`]) {
      expect(await verdict({ ...sidecar, model }, native)).toMatchObject({ verdict: 'compatible' });
    }
  });

  test('whose model was a folder is compatible by its last name, and by the whole one as ever', async () => {
    const folder = relative('.', model);
    expect(folder).toMatch(/^\w.*bert$/);
    for (const now of ['bert', folder, folder.toUpperCase(), `./${folder}`, 'sentence-transformers/bert']) {
      const check = await verdict({ ...sidecar, model: folder }, { ...native, model: now });
      expect(check).toMatchObject({ verdict: 'compatible' });
    }
    for (const [was, now] of [
      [folder, 'nowhere/bert'],
      ['no/where/bert', 'bert'],
      [folder, 'mpnet'],
    ] as const) {
      const check = await verdict({ ...sidecar, model: was }, { ...native, model: now });
      expect(check).toMatchObject({ verdict: 'reindex' });
    }
  });

  test.each<[string, VectorSpace, VectorSpace, RegExp]>([
    ['Ollama', ollama, native, /bge-m3 \(ollama\), and .* has a different vector space/],
    ['a sidecar, for Ollama', sidecar, ollama, /a different vector space/],
    ['Ollama with another download', ollama, { ...ollama, fingerprint: 'd2' }, /weights/],
    ['8-bit weights', native, { ...native, precision: 'int8', fingerprint: 'f2' }, /precision \(fp32, now int8\)/],
    ['a sidecar, for 8-bit weights', sidecar, { ...native, precision: 'int8' }, /precision/],
    ['a sidecar, for another ONNX file', sidecar, { ...native, precision: null }, /precision \(fp32, now unknown\)/],
    [
      'another model',
      sidecar,
      { ...native, model: 'all-mpnet-base-v2' },
      /model \(paraphrase.*, now all-mpnet-base-v2\)/,
    ],
    ['another length', sidecar, { ...native, dimension: 384 }, /dimension \(768, now 384\)/],
    ['another pooling', sidecar, { ...native, pooling: 'cls' }, /pooling \(mean, now cls\)/],
    ['vectors as they come', sidecar, { ...native, normalize: false }, /normalisation \(true, now false\)/],
    ['another limit', native, { ...native, maxTokens: 512, fingerprint: 'f2' }, /max tokens \(128, now 512\)/],
    [
      'other weights of that name',
      native,
      { ...native, fingerprint: 'f2' },
      /different weights or a different tokenizer/,
    ],
  ])('on an index of %s is reindex', async (_, was, now, reason) => {
    expect(await verdict(was, now)).toMatchObject({
      verdict: 'reindex',
      reason: expect.stringMatching(reason) as string,
    });
  });

  test('another ONNX file than the plain one does not pass for fp32', async () => {
    const folder = join(parent, 'qint8');
    cpSync(model, folder, { recursive: true });
    cpSync(join(folder, 'onnx', 'model.onnx'), join(folder, 'onnx', 'model_qint8.onnx'));
    const embedder = await Embedder.load({ model: folder, modelFile: 'onnx/model_qint8.onnx' });
    expect(await writeIndexStamp(freshDir(), embedder)).toMatchObject({ precision: null });
    await embedder.close();
  });
});

describe('an old .db-version', () => {
  const withMarker = (content: string): string => {
    const dir = freshDir();
    writeFileSync(join(dir, '.db-version'), content);
    return dir;
  };
  const legacy = {
    2: { kind: 'ollama', model: 'bge-m3' },
    3: { kind: 'sidecar', model: NAME, pooling: 'mean' },
  } as const;

  test('without an explanation is missing, and says what it says', async () => {
    const check = await checkIndexStamp(withMarker('3\n'), { space: native });
    expect(check).toMatchObject({ verdict: 'missing', dbVersion: 3 });
    expect(check.reason).toMatch(/\.db-version says 3/);
    expect(await checkIndexStamp(withMarker('three'), { space: native })).toMatchObject({
      verdict: 'missing',
      dbVersion: null,
    });
  });

  test('of the sidecar need not be indexed again, of Ollama must', async () => {
    const check = (content: string, now: VectorSpace): Promise<{ verdict: string }> =>
      checkIndexStamp(withMarker(content), { space: now }, { legacy });
    expect(await check('3', native)).toMatchObject({ verdict: 'compatible', dbVersion: 3 });
    expect(await check('2', native)).toMatchObject({ verdict: 'reindex', dbVersion: 2 });
    expect(await check('3', { ...native, precision: 'int8' })).toMatchObject({ verdict: 'reindex' });
    expect(await check('4', native)).toMatchObject({ verdict: 'missing' });
  });

  test('of an isolated embedder is as one of the native', async () => {
    const { model, precision } = native;
    const check = (kind: 'native' | 'isolated', now: VectorSpace): Promise<{ verdict: string }> =>
      checkIndexStamp(withMarker('5'), { space: now }, { legacy: { 5: { kind, model, precision } } });
    for (const now of [native, sidecar, ollama])
      expect(await check('isolated', now)).toEqual(await check('native', now));
    expect(await check('isolated', native)).toMatchObject({ verdict: 'compatible' });
  });

  test('that has changed since the stamp was written asks for a new index', async () => {
    const dir = withMarker('3');
    expect(await writeIndexStamp(dir, { space: native })).toMatchObject({ dbVersion: 3 });
    expect(await checkIndexStamp(dir, { space: native })).toMatchObject({ verdict: 'match' });
    writeFileSync(join(dir, '.db-version'), '2');
    const check = await checkIndexStamp(dir, { space: native });
    expect(check).toMatchObject({ verdict: 'reindex', dbVersion: 2 });
    expect(check.reason).toMatch(/from 3 to 2/);
  });
});
