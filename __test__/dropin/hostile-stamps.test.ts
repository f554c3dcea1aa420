// Index stamps that nobody would write, made up by fast-check: a file is a stamp or it is not, and the verdict on two spaces
// holds both ways.

import fc from 'fast-check';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkIndexStamp, readIndexStamp, writeIndexStamp, type VectorSpace } from 'sentence-embedder';
import { cases } from '../support/cases';
import { temporaryFolder } from '../support/fixtures';

const parent = temporaryFolder();

/** Few values of each field, so that two spaces often agree. */
const space: fc.Arbitrary<VectorSpace> = fc.record({
  kind: fc.constantFrom('native', 'sidecar', 'ollama', 'custom', 'test'),
  model: fc.oneof(
    fc.constantFrom('a/b', 'b', 'sentence-transformers/b', './models/b', 'C:\\b\\', '/', ''),
    fc.string({ unit: 'binary', maxLength: 20 }),
  ),
  revision: fc.constantFrom('main', 'abc', null),
  dimension: fc.constantFrom(0, 384, 768, Number.MAX_SAFE_INTEGER),
  maxTokens: fc.constantFrom(128, 512, null),
  pooling: fc.constantFrom('mean', 'cls', null),
  normalize: fc.boolean(),
  precision: fc.constantFrom('fp32', 'int8', null),
  fingerprint: fc.constantFrom('f1', 'f2', null),
});
const dbVersion = fc.constantFrom(null, 0, 3, Number.MAX_SAFE_INTEGER);
const stamp = fc
  .tuple(space, dbVersion, fc.string({ maxLength: 30 }))
  .map(([it, version, writtenAt]) => ({ format: 1, ...it, dbVersion: version, writtenAt }));

/** JSON, and what JavaScript does not make a number or a text of. */
const json = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom({ toString: 1, valueOf: 1 }, { __proto__: null }, { length: -1 }),
);

/** What stands in the file: a stamp, one with a field that is something else, one with a byte that is, any JSON, anything. */
const content: fc.Arbitrary<Uint8Array> = fc.oneof(
  stamp.map((it) => Buffer.from(JSON.stringify(it))),
  fc
    .tuple(stamp, fc.constantFrom('format', 'kind', 'dimension', 'normalize', 'fingerprint', 'dbVersion'), json)
    .map(([it, name, value]) => Buffer.from(JSON.stringify({ ...it, [name]: value }))),
  fc.tuple(stamp, fc.nat(), fc.nat(255)).map(([it, at, byte]) => {
    const bytes = Buffer.from(JSON.stringify(it));
    bytes[at % bytes.length] = byte;
    return bytes.subarray(0, at % 3 === 0 ? at % bytes.length : undefined);
  }),
  fc.json().map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }),
);

/** A folder with these files alone. */
function folderWith(name: string, files: Record<string, string | Uint8Array | undefined>): string {
  const dir = join(parent, name);
  mkdirSync(dir, { recursive: true });
  for (const [file, it] of Object.entries(files)) {
    if (it === undefined) rmSync(join(dir, file), { force: true });
    else writeFileSync(join(dir, file), it);
  }
  return dir;
}
const verdict = async (was: VectorSpace, now: VectorSpace): Promise<string> => {
  const text = JSON.stringify({ format: 1, ...was, dbVersion: null, writtenAt: '' });
  return (await checkIndexStamp(folderWith('spaces', { '.embedding-stamp.json': text }), { space: now })).verdict;
};

test('a file is a stamp or missing, whatever is in it', async () => {
  const marker = fc.oneof(
    fc.constantFrom(undefined, '3', ' 42\n', '9'.repeat(400), '-1'),
    fc.string({ maxLength: 20 }),
  );
  const property = fc.asyncProperty(content, marker, space, async (bytes, version, now) => {
    const dir = folderWith('files', { '.embedding-stamp.json': bytes, '.db-version': version });
    const read = await readIndexStamp(dir);
    const check = await checkIndexStamp(dir, { space: now });
    expect(check.stamp).toEqual(read);
    expect(check.reason).not.toBe('');
    expect(['match', 'compatible', 'reindex'].includes(check.verdict)).toBe(read !== undefined);
    expect(check.dbVersion === null || Number.isSafeInteger(check.dbVersion)).toBe(true);
    if (read === undefined) return;
    expect(Object.keys(read)).toHaveLength(11);
    expect([typeof read.model, typeof read.dimension, typeof read.normalize]).toEqual(['string', 'number', 'boolean']);
  });
  await fc.assert(property, cases(1));
}, 3_600_000);

test('the verdict on a space and itself is match, and on two it is the same both ways', async () => {
  const property = fc.asyncProperty(space, space, async (one, other) => {
    expect(await verdict(one, one)).toBe('match');
    const found = await verdict(one, other);
    expect(await verdict(other, one)).toBe(found);
    const sameFiles = one.fingerprint !== null && one.fingerprint === other.fingerprint && one.kind === other.kind;
    const sameShape = one.dimension === other.dimension && one.normalize === other.normalize;
    if (sameFiles && sameShape) expect(found).toBe('match');
    else if (!sameShape || one.precision !== other.precision) expect(found).toBe('reindex');
  });
  await fc.assert(property, cases(1 / 2));
}, 3_600_000);

test('what is written is read', async () => {
  const property = fc.asyncProperty(space, async (it) => {
    const dir = folderWith('written', {});
    const written = await writeIndexStamp(dir, { space: it });
    expect(written).toMatchObject(it);
    expect(await readIndexStamp(dir)).toEqual(written);
  });
  await fc.assert(property, cases(1 / 10)); // each waits for the disk
}, 3_600_000);
