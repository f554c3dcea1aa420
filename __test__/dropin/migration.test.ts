// Every JavaScript example of the migration guide runs as it stands; those in TypeScript show what was before, or parts.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { ROOT, runNode } from '../support/processes';

const guide = readFileSync(join(ROOT, 'docs', 'migration.md'), 'utf8');
const examples = [...guide.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
const app = temporaryFolder();

beforeAll(() => {
  mkdirSync(join(app, 'node_modules'));
  mkdirSync(join(app, 'models'));
  symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
  symlinkSync(miniLM(), join(app, 'models', 'all-MiniLM-L6-v2'));
});

test('there is an example of each way and of stamps', () => {
  expect(examples).toHaveLength(3);
});

test.each(examples.map((source, i): [number, string] => [i + 1, source]))('example %i', (_, source) => {
  writeFileSync(join(app, 'example.mjs'), source);
  const { status, stdout } = runNode(['example.mjs'], { cwd: app });
  const promised = [...source.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1]);
  expect({ status, printed: stdout.trimEnd().split('\n') }).toEqual({ status: 0, printed: promised });
});
