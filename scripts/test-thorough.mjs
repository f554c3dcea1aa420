// Made-up cases, more than a million of them, each property as many as are cheap: npm run test:thorough -- [share, such as 0.01]
// Takes 20 minutes or more; the JavaScript part is over the built package.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './packages.mjs';

/** Where each property is, and its cases; `of` says of how many that are asked for it runs one. */
const PROPERTIES = [
  { in: '--test=fuzz', name: 'a_folder_says_what_it_is_or_why_not', cases: 100_000 },
  { in: '--test=fuzz', name: 'every_text_has_tokens_and_as_many_in_any_company', cases: 100_000 },
  { in: '--test=token_ids', name: 'tiny_tokenizer_any_text', cases: 100_000 },
  { in: '--test=token_ids', name: 'tiny_tokenizer_near_its_vocabulary', cases: 100_000 },
  { in: '--test=token_ids', name: 'real_tokenizer_any_text', cases: 100_000 },
  { in: '--test=token_ids', name: 'real_tokenizer_near_its_vocabulary', cases: 100_000 },
  { in: '--test=token_ids', name: 'any_small_vocabulary', cases: 10_000 },
  { in: '--lib', name: 'pipeline::trie::tests::answers_like_a_map', cases: 10_000 },
  { in: '--lib', name: 'pipeline::trie::tests::wide_nodes_fit', cases: 10_000 },
  {
    in: '--lib',
    name: 'pipeline::batch::tests::every_sequence_runs_once_with_its_own_length_and_within_the_budget',
    cases: 100_000,
  },
  {
    in: '--lib',
    name: 'pipeline::batch::tests::runs_are_as_few_as_the_budget_allows_and_nearly_equal',
    cases: 100_000,
  },
  {
    in: '--lib',
    name: 'pipeline::batch::tests::every_sequence_is_packed_once_within_the_budget_and_with_little_room_left',
    cases: 100_000,
  },
  {
    in: '--lib',
    name: 'operators::cut::tests::every_cut_covers_all_rows_and_columns_and_is_no_worse_than_rows_or_columns_alone',
    cases: 100_000,
  },
  {
    in: '--lib',
    name: 'pipeline::queue::tests::in_whatever_order_threads_run_no_call_is_left_and_no_text_runs_twice',
    cases: 10_000,
  },
  { in: '--test=fuzz', name: 'whatever_a_graph_is_its_parts_are_found', cases: 100_000 },
  { in: '--test=fuzz', name: 'whatever_a_graph_is_its_copy_is_whole', cases: 20_000 },
  { in: '--test=fuzz', name: 'whatever_a_graph_is_it_embeds_or_says_why_not', cases: 100, of: 100 },
];
/** Hostile arguments over all calls of the JavaScript face, files with index stamps; half as many pairs of spaces. */
const HOSTILE_CASES = 50_000;

const share = Number(process.argv[2] ?? 1);
if (!(share > 0)) throw new RangeError(`Expected a number above 0 for the share but received ${process.argv[2] ?? ''}`);

// Whoever writes an addition that overflows is told, although the rest is as it is published.
const profile = ['--release', '--config', 'profile.release.package.sentence-embedder.overflow-checks=true'];

/**
 * Runs tests of one program; an error in words if they fail or are not there.
 * @param {string[]} which
 * @param {NodeJS.ProcessEnv} env
 */
function runRust(which, env) {
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(ROOT, 'scripts', 'test-rust.mjs'), ...profile, ...which],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
  );
  if (status === 0 && /test result: ok\. [1-9]/.test(stdout)) return;
  console.error(stdout);
  process.exitCode = 1;
}

for (const { in: program, name, cases, of = 1 } of PROPERTIES) {
  const count = Math.ceil(cases * share);
  const started = Date.now();
  runRust([program, '--', '--exact', name], { PROPTEST_CASES: String(count * of) });
  console.log(`${name}: ${String(count)} cases in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}
const hostile = spawnSync(process.execPath, [join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), 'hostile'], {
  cwd: ROOT,
  env: { ...process.env, HOSTILE_CASES: String(Math.ceil(HOSTILE_CASES * share)) },
  stdio: 'inherit',
});
if (hostile.status !== 0) process.exitCode = 1;
