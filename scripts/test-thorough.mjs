// The tests that make up their own cases, with a million cases: npm run test:thorough -- [cases of each property]
// Every flipped byte and every absurd graph in every way as well. Takes hours.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './packages.mjs';

const cases = process.argv[2] ?? '125000';
const env = { ...process.env, PROPTEST_CASES: cases, SENTENCE_EMBEDDER_TEST_THOROUGH: '1' };
for (const which of [['--lib'], ['--test', 'fuzz'], ['--test', 'bad_models']]) {
  const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'test-rust.mjs'), '--release', ...which], {
    env,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = status ?? 1;
}
