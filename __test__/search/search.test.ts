// `search` on the real model: the right passage first, and first again after every change of the folder.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { ROOT } from '../support/processes';
import { indexFolder, search, writeFiles } from './support';

const model = miniLM();
const parent = temporaryFolder();
const [folder, database] = [join(parent, 'notes'), join(parent, 'index')];

interface Answer {
  question: string;
  model: string;
  results: { path: string; line: number; score: number; text: string; highlight: { start: number; end: number } }[];
}

const ask = (question: string, ...more: string[]): Answer => {
  const { stdout, stderr } = search(question, database, model, '--json', ...more);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Answer;
};

const BREAD =
  '# Notes of an old kitchen\n\nThe stove is older than the house.\n\n# Bread\n\n' +
  'Nobody remembers who wrote this. Yeast makes the dough rise,\nbecause it breathes out gas. Keep it warm.\n';

beforeAll(() => {
  const subjects = [
    'tide',
    'harbour',
    'ledger',
    'violin',
    'glacier',
    'parliament',
    'bicycle',
    'volcano',
    'comet',
    'loom',
  ];
  const others = Array.from({ length: 199 }, (_, i): [string, string] => {
    const [subject, year] = [subjects[i % subjects.length] ?? '', String(1700 + i)];
    return [`${subject}/${year}.txt`, `What was written of the ${subject} in the year ${year}: it was seen and drawn.`];
  });
  writeFiles(folder, { ...Object.fromEntries(others), 'kitchen/bread.md': BREAD });
  expect(indexFolder(folder, database, model)).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('200 files: 200 added, 0 changed, 0 removed, 0 unchanged\n201 passages') as string,
  });
});

test('the right passage is first, with its line and the sentence that answers', () => {
  const answer = ask('why does bread get bigger?');
  expect(Object.keys(answer)).toEqual(['question', 'model', 'results']);
  expect(answer).toMatchObject({
    question: 'why does bread get bigger?',
    model: expect.stringContaining('MiniLM') as string,
  });
  const [first] = answer.results;
  expect(Object.keys(first ?? {})).toEqual(['path', 'line', 'score', 'text', 'highlight']);
  expect(first).toMatchObject({ path: join(folder, 'kitchen', 'bread.md'), line: 5 });
  expect(first?.text.slice(first.highlight.start, first.highlight.end)).toBe(
    'Yeast makes the dough rise,\nbecause it breathes out gas.',
  );
  expect(first?.score).toBeGreaterThan(0.3);
  expect(first?.score).toBeLessThan(1);
  const scores = answer.results.map(({ score }) => score);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(scores).toHaveLength(5);
  expect(ask('a comet', '--limit', '7').results).toHaveLength(7);
});

test('for people: path, line and score, and no colour where there is no terminal', () => {
  const { status, stdout } = search('why does bread get bigger?', database, model, '--limit', '1');
  const lines = stdout.replaceAll('\\', '/').split('\n');
  expect(lines[0]).toMatch(/\/notes\/kitchen\/bread\.md:5 {2}0\.\d{3}$/);
  expect(lines.slice(1)).toEqual([
    ...BREAD.split('\n')
      .slice(4, 8)
      .map((line) => `    ${line}`),
    '',
    '',
  ]);
  expect(status).toBe(0);
});

test('what is highlighted is a sentence, without the white space around it', () => {
  const [odd, index] = [join(parent, 'odd'), join(parent, 'odd.index')];
  writeFiles(odd, { 'a.md': 'The tide of 1804 was seen.\n\n\n\n   Yeast makes the dough rise.  \n\nNo more.\n' });
  indexFolder(odd, index, model);
  // To the first, white space is nearer than any of the sentences.
  const highlighted = ['hello', 'why does bread get bigger?'].map((question) => {
    const { results } = JSON.parse(search(question, index, model, '--json').stdout) as Answer;
    return results.map(({ text, highlight: { start, end } }) => text.slice(start, end));
  });
  expect(highlighted).toEqual([[expect.stringMatching(/^\S.*\.$/)], ['Yeast makes the dough rise.']]);
});

// A pipe of Windows does not tell the writer in the same way.
(process.platform === 'win32' ? test.skip : test)('a reader that has read enough is no failure', () => {
  const script =
    'node dist/cli.js search "a comet" --limit 200 --db "$1" --model "$2" | head -1; echo ${PIPESTATUS[0]}';
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', database, model], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/\n0\n$/);
});

test('a second run embeds nothing', () => {
  expect(indexFolder(folder, database, model).stdout).toMatch(
    / 0 added, 0 changed, 0 removed, 200 unchanged\n0 passages/,
  );
});

test('a changed, a removed and an added file are all that a run sees', () => {
  writeFiles(folder, {
    'kitchen/bread.md': 'Bread is bought at the corner.\n',
    'new.md': 'Hens lay eggs in the barn.\n',
  });
  rmSync(join(folder, 'comet', '1708.txt'));
  expect(indexFolder(folder, database, model).stdout).toMatch(
    /200 files: 1 added, 1 changed, 1 removed, 198 unchanged\n2 passages/,
  );
  expect(ask('poultry').results[0]).toMatchObject({ path: join(folder, 'new.md'), line: 1 });
  const found = ask('why does bread get bigger?', '--limit', '200').results;
  expect(found[0]).toMatchObject({ text: 'Bread is bought at the corner.' });
  expect(found.filter(({ path }) => path.endsWith('bread.md'))).toHaveLength(1);
  expect(found.filter(({ path }) => path.endsWith('1708.txt'))).toHaveLength(0);
  expect(found).toHaveLength(200);
});
