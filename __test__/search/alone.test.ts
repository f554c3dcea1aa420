// One run at a time writes to an index, and none that was killed stands in the way of the next.

import { once } from 'node:events';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect } from '@lancedb/lancedb';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { indexFolder, rowsOf, startIndexing, until, versionsOf, writeFiles } from './support';

const FILES = 1500;

const model = modelFolder('bert');
const parent = temporaryFolder();
const at = (...names: string[]): string => join(parent, ...names);
const folder = at('many');
const fileOf = (database: string): string => join(database, '.run.json');

/** Expects an index of the whole folder, each passage once. */
async function expectWhole(database: string): Promise<void> {
  const rows = await rowsOf(database);
  expect(rows).toHaveLength(FILES);
  expect(new Set(rows.map(({ path }) => path)).size).toBe(FILES);
}

/** Leaves the file of a run that came before. */
function leaveFile(database: string, run: { pid: number; host: string }, freshenedAt: number): void {
  writeFiles(database, { '.run.json': JSON.stringify({ id: 'before', ...run }) });
  utimesSync(fileOf(database), freshenedAt / 1000, freshenedAt / 1000);
}

beforeAll(() => {
  const files = Array.from({ length: FILES }, (_, i) => [`${String(i % 10)}/${String(i)}.md`, `Text ${String(i)}.`]);
  writeFiles(folder, Object.fromEntries(files) as Record<string, string>);
});

test('a second run is refused while one is at work, which is not disturbed', async () => {
  const database = at('two.index');
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'exit');
  await until(child, () => existsSync(fileOf(database)));
  const { status, stdout, stderr } = indexFolder(folder, database, model);
  expect(stderr).toMatch(/^ERR_EMBED_INVALID_ARGUMENT: .* another run \(process \d+ on .*\) is at work on /);
  expect(stderr).toContain(`(process ${String(child.pid)} on ${hostname()})`);
  expect([status, stdout]).toEqual([2, '']);
  expect(await ended).toEqual([0, null]);
  await expectWhole(database);
  expect(existsSync(fileOf(database))).toBe(false);
  expect(indexFolder(folder, database, model).stdout).toContain(`${String(FILES)} unchanged\n0 passages`);
});

test('a run that was killed is not in the way of the next', async () => {
  const database = at('killed.index');
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'exit');
  await until(child, () => versionsOf(database) > 2);
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(fileOf(database))).toBe(true);
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  await expectWhole(database);
  expect(existsSync(fileOf(database))).toBe(false);
});

// This process lives, and so has a number that a killed run may have had.
test.each([
  ['a minute ago', -60_000],
  ['by a clock that was set back since', 3_600_000],
])('nor if its process number is another’s by now: last fresh %s', (_, away) => {
  const database = at(`number${String(away)}.index`);
  leaveFile(database, { pid: process.pid, host: hostname() }, Date.now() + away);
  expect(indexFolder(at('many', '1'), database, model)).toMatchObject({ status: 0 });
});

test('nor a file that a crash left half-written', () => {
  const database = at('half.index');
  writeFiles(database, { '.run.json': '' });
  expect(indexFolder(at('many', '1'), database, model)).toMatchObject({ status: 2 });
  utimesSync(fileOf(database), 1, 1);
  expect(indexFolder(at('many', '1'), database, model)).toMatchObject({ status: 0 });
});

test('a run on another machine is known by its file', () => {
  const database = at('far.index');
  leaveFile(database, { pid: 2 ** 22, host: 'elsewhere' }, Date.now());
  const before = readFileSync(fileOf(database), 'utf8');
  const { status, stderr } = indexFolder(at('many', '1'), database, model);
  expect(stderr).toContain(`another run (process ${String(2 ** 22)} on elsewhere)`);
  expect(status).toBe(2);
  expect(readFileSync(fileOf(database), 'utf8')).toBe(before);
});

test('of two that find a dead run, one goes on', async () => {
  const database = at('race.index');
  leaveFile(database, { pid: 2 ** 22, host: hostname() }, Date.now());
  const children = [startIndexing(folder, database, model), startIndexing(folder, database, model)];
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  expect(ends.map(([code]) => code as number).sort()).toEqual([0, 2]);
  await expectWhole(database);
});

// Windows cannot stop a process.
const unlessWindows = process.platform === 'win32' ? test.skip : test;
unlessWindows('a run that was stopped for long, and whose index another has taken over, ends', async () => {
  const database = at('lost.index');
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'close');
  let stderr = '';
  child.stderr.on('data', (data) => (stderr += String(data)));
  await until(child, () => versionsOf(database) > 1);
  child.kill('SIGSTOP');
  const other = JSON.stringify({ id: 'other', pid: process.pid, host: hostname() });
  writeFileSync(fileOf(database), other);
  // So that it looks at its file as soon as it goes on.
  await setTimeout(1_500);
  child.kill('SIGCONT');
  expect(await ended).toEqual([2, null]);
  expect(stderr).toContain(`ERR_EMBED_INVALID_ARGUMENT: Another run has taken over the index in ${database}\n`);
  expect(readFileSync(fileOf(database), 'utf8')).toBe(other);
});

test('a folder that cannot be one is refused', () => {
  const { status, stderr } = indexFolder(folder, at('many', '1', '1.md'), model);
  expect(stderr).toContain('Expected a folder for --db that can be written');
  expect(status).toBe(2);
});

test('what an earlier release let two runs write twice is mended by the next', async () => {
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
