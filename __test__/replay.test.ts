// `sentence-embedder replay`: nasty but lawful text passes in every way of batching, and what fails is told.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeVariant, modelFolder, temporaryFolder } from './support/fixtures';
import { cli, replayFiles } from './support/replay';

interface FailedBatch {
  chunkCount: number;
  totalChars: number;
  texts: string[];
}

const folder = temporaryFolder();
const [first = ''] = replayFiles;

/** A failed batch in a file of its own. */
function batchFile(name: string, content: object): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

test('there are 15 files of the size that they should have', () => {
  const batches = replayFiles.map((path) => JSON.parse(readFileSync(path, 'utf8')) as FailedBatch);
  expect(batches).toHaveLength(15);
  const sum = (of: (batch: FailedBatch) => number): number => batches.reduce((total, batch) => total + of(batch), 0);
  expect(sum((batch) => batch.texts.length)).toBeGreaterThanOrEqual(133);
  expect(sum((batch) => batch.totalChars)).toBeGreaterThanOrEqual(220_000);
});

test.each(['bert', 'xlmr', 'mpnet'] as const)('all files pass on the tiny %s model', (base) => {
  const { status, stdout } = cli('replay', '--model', modelFolder(base), ...replayFiles);
  expect(stdout).toContain('Total: 15 of 15 files passed; 135 texts, 232,102 characters, 377 calls');
  expect(status).toBe(0);
});

test('what fails is told by file, by way and by text, and the exit status is 1', () => {
  // This model answers up to 8 tokens.
  const model = makeVariant(folder, 'fails-at-run');
  const good = batchFile('good.json', { texts: ['a', 'b'] });
  const bad = batchFile('bad.json', { texts: ['a', 'one two three four five six seven eight nine ten'] });
  const json = join(folder, 'result.json');
  const words = ['--cache-dir', join(folder, 'cache'), '--export-json', json];
  const { status, stdout, stderr } = cli('replay', '--model', model, good, bad, ...words);
  expect(status).toBe(1);
  // No copy can be made of it, as it cannot run what a copy is checked with.
  expect(stderr).toMatch(
    /^Preparing .*fails-at-run…\nWarning: The model is loaded as it is, without a prepared copy: /,
  );
  expect(stdout).toMatch(/good\.json.* ok /);
  expect(stdout).toMatch(/bad\.json.* FAILED /);
  expect(stdout).toContain('each alone, text 1: ');
  expect(stdout).toContain('whole, texts 0 to 1: ');
  expect(stdout).toContain('Total: 1 of 2 files passed');
  const { files } = JSON.parse(readFileSync(json, 'utf8')) as { files: { failures: string[] }[] };
  expect(files.map(({ failures }) => failures.length)).toEqual([0, 7]);
});

test.each([
  ['is missing', undefined, 'ENOENT'],
  ['is no JSON', 'texts', 'is not valid JSON'],
  ['has no texts', '{}', 'Expected a JSON object with an array "texts"'],
  ['has other things than texts', '{"texts": ["a", 1]}', 'Expected a non-empty array of strings for texts'],
  ['was cut', '{"texts": ["a"], "chunkCount": 2}', 'Expected chunkCount 2, as the file says, but its texts have 1'],
])('a file that %s fails, and the others go on', (_, content, message) => {
  const path = join(folder, 'damaged.json');
  if (content !== undefined) writeFileSync(path, content);
  const { status, stdout } = cli('replay', '--model', modelFolder('bert'), path, first);
  expect(status).toBe(1);
  expect(stdout).toContain(message);
  expect(stdout).toContain('Total: 1 of 2 files passed');
});

test('a wrong command line is told from a failure', () => {
  expect(cli('replay').status).toBe(2);
  expect(cli('replay', '--nonsense', first).status).toBe(2);
  expect(cli('replay', '--model', join(folder, 'nowhere'), first)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('ERR_EMBED_MODEL_NOT_FOUND') as string,
  });
});
