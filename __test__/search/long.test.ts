// Long texts, with and without places to cut them at: the time grows with their length alone, and Ctrl-C is seen.

import { once } from 'node:events';
import { join } from 'node:path';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { indexFolder, rowsOf, startIndexing, writeFiles } from './support';

const model = modelFolder('bert');
const parent = temporaryFolder();
const at = (...names: string[]): string => join(parent, ...names);

/** A text of so many sentences on lines that are wrapped, without a blank line. */
const prose = (sentences: number): string =>
  Array.from({ length: sentences }, (_, i) => `Sentence ${String(i)} of\na text goes on here.`).join(' ');

test('sentences of a long text without blank lines stay whole', async () => {
  const text = prose(10_000);
  writeFiles(at('prose'), { 'a.txt': text });
  expect(indexFolder(at('prose'), at('prose.index'), model)).toMatchObject({ status: 0 });
  const rows = await rowsOf(at('prose.index'));
  for (const row of rows) expect(row.text).toMatch(/^Sentence \d+ of\n[^]*here\.$/);
  const told = new Set(rows.flatMap((row) => row.text.match(/(?<=Sentence )\d+/g) ?? []));
  expect(told.size).toBe(10_000);
});

test.each([
  ['letters', 'x'.repeat(9_900_000)],
  ['characters of two units', `y${'😀'.repeat(200_000)}`],
])('one word of many %s is many passages', async (name, word) => {
  const [folder, database] = [at(name), at(`${name}.index`)];
  writeFiles(folder, { 'word.txt': word });
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  const texts = (await rowsOf(database)).map(({ text }) => text);
  // One more where a character would be cut.
  expect(Math.max(...texts.map(({ length }) => length))).toBeLessThanOrEqual(10_001);
  expect(texts.join('') === word).toBe(true);
});

// Windows cannot send the signal.
(process.platform === 'win32' ? test.skip : test)('Ctrl-C is seen while a long text is cut', async () => {
  const [folder, database] = [at('longer'), at('longer.index')];
  writeFiles(folder, { 'a.txt': prose(100_000) });
  const counting = `
    const { segment } = Intl.Segmenter.prototype;
    let looks = 0;
    Intl.Segmenter.prototype.segment = function (text) {
      looks += 1;
      if (looks === 3) process.kill(process.pid, 'SIGINT');
      return segment.call(this, text);
    };
    process.on('exit', () => console.error(looks + ' looks'));`;
  const child = startIndexing(folder, database, model, `--import=data:text/javascript,${encodeURIComponent(counting)}`);
  const ended = once(child, 'close');
  let stderr = '';
  child.stderr.on('data', (data) => (stderr += String(data)));
  expect(await ended).toEqual([130, null]);
  expect(stderr).toContain('Interrupted. What is done is kept: run the same command again to continue.\n');
  const looks = Number(/(\d+) looks/.exec(stderr)?.[1]);
  expect(looks).toBeGreaterThanOrEqual(3);
  // Of some 400 for the whole text: it is seen soon after, when tokens are counted the next time.
  expect(looks).toBeLessThan(50);
});
