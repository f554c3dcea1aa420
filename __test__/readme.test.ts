// Every JavaScript example of the README runs as it stands.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './support/fixtures';
import { miniLM } from './support/models';
import { ROOT, runNode } from './support/processes';

const examples = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(
  (match, i): [string, string] => [
    `example ${String(i + 1)}: ${(match[1] ?? '').split('\n', 1)[0] ?? ''}`,
    match[1] ?? '',
  ],
);
const app = temporaryFolder();

beforeAll(() => {
  mkdirSync(join(app, 'node_modules'));
  mkdirSync(join(app, 'models'));
  symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
  symlinkSync(join(ROOT, 'node_modules', 'ai'), join(app, 'node_modules', 'ai'));
  symlinkSync(miniLM(), join(app, 'models', 'all-MiniLM-L6-v2'));
});

test('there are examples', () => {
  expect(examples.length).toBeGreaterThan(2);
});

test.each(examples)('%s', (_, source) => {
  writeFileSync(join(app, 'example.mjs'), source);
  const { status, stdout, stderr } = runNode(['example.mjs'], { cwd: app });
  // Progress goes to stderr, in as many lines as the machine is slow.
  expect({ status, stderr: stderr.replace(/^\d+ of \d+\n/gm, '') }).toEqual({ status: 0, stderr: '' });
  const promised = [...source.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1]);
  if (promised.length > 0) expect(stdout.trimEnd().split('\n')).toEqual(promised);
});
