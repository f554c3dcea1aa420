// One run at a time writes to an index, and none that was killed stands in the way of the next.

import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { indexFolder, rowsOf, startIndexing, until, versionsOf, writeFiles } from './support';

const FILES = 1500;

const model = modelFolder('bert');
const parent = temporaryFolder();
const at = (...names: string[]): string => join(parent, ...names);
const folder = at('many');

/** Expects an index of the whole folder, each passage once. */
async function expectWhole(database: string): Promise<void> {
  const rows = await rowsOf(database);
  expect(rows).toHaveLength(FILES);
  expect(new Set(rows.map(({ path }) => path)).size).toBe(FILES);
}

beforeAll(() => {
  const files = Array.from({ length: FILES }, (_, i) => [`${String(i % 10)}/${String(i)}.md`, `Text ${String(i)}.`]);
  writeFiles(folder, Object.fromEntries(files) as Record<string, string>);
});

test('a second run is refused while one is at work, which is not disturbed', async () => {
  const database = at('two.index');
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'exit');
  await until(child, () => versionsOf(database) > 0);
  const { status, stdout, stderr } = indexFolder(folder, database, model);
  expect(stderr).toMatch(/^ERR_EMBED_INVALID_ARGUMENT: .* another run is writing to /);
  expect([status, stdout]).toEqual([2, '']);
  expect(await ended).toEqual([0, null]);
  await expectWhole(database);
  expect(indexFolder(folder, database, model).stdout).toContain(`${String(FILES)} unchanged\n0 passages`);
});

test('of two that begin together, one goes on', async () => {
  const database = at('race.index');
  const children = [startIndexing(folder, database, model), startIndexing(folder, database, model)];
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  expect(ends.map(([code]) => code as number).sort()).toEqual([0, 2]);
  await expectWhole(database);
});

test('a run that was killed is not in the way of the next', async () => {
  const database = at('killed.index');
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'exit');
  await until(child, () => versionsOf(database) > 2);
  child.kill('SIGKILL');
  await ended;
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  await expectWhole(database);
});

test('a folder that cannot be one is refused', () => {
  const { status, stderr } = indexFolder(folder, at('many', '1', '1.md'), model);
  expect(stderr).toContain('Expected a writable folder for --db');
  expect(status).toBe(2);
});

test('what two runs have written twice is mended by the next', async () => {
  const [few, database] = [at('few'), at('few.index')];
  writeFiles(few, { 'a.md': '# One\n\nA text.\n\n# Two\n\nAnother text.\n', 'b.md': 'B.' });
  indexFolder(few, database, model);
  const before = await rowsOf(database);
  const table = await (await connect(database)).openTable('passages');
  await table.add(before.filter(({ path }) => path.endsWith('a.md')).map((row) => ({ ...row })));
  table.close();
  expect(await rowsOf(database)).toHaveLength(5);
  expect(indexFolder(few, database, model).stdout).toContain('0 added, 1 changed, 0 removed, 1 unchanged\n2 passages');
  expect(await rowsOf(database)).toEqual(before);
});
