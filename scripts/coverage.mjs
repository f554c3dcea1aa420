// Which lines of src/ and lib/ the tests run: npm run coverage
// All Rust tests, and those of the Node face, over builds that count. Ends with 1 if a test fails, or if less than 85 % of
// the lines of either folder ran. The table is in coverage/lines.txt as well.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { linesOfLib } from './coverage-lib.mjs';
import { instrumented, linesOfSrc } from './coverage-src.mjs';
import { runNode, testNodeFace, withOtherBuild } from './other-build.mjs';
import { ROOT } from './packages.mjs';

/** Per cent of the lines, at least. */
const LEAST = 85;
const FOLDER = join(ROOT, 'coverage');
const V8 = join(FOLDER, 'v8');

rmSync(FOLDER, { recursive: true, force: true });
const env = instrumented();
const forNode = {
  ...process.env,
  LLVM_PROFILE_FILE: env['LLVM_PROFILE_FILE'],
  NODE_V8_COVERAGE: V8,
  // Code that counts takes many times as long in the products of real models.
  SENTENCE_EMBEDDER_TEST_SLOWNESS: '15',
};

const rust = runNode(['scripts/test-rust.mjs', '--no-fail-fast'], env);
const node = await withOtherBuild(FOLDER, ['--debug', '--source-maps'], env, async () => {
  const passed = testNodeFace(forNode);
  report('src', linesOfSrc(env, join(FOLDER, 'src.lcov')));
  report('lib', await linesOfLib(V8));
  return passed;
});
if (!rust || !node) {
  console.error('Tests failed: what they would have run is missing above.');
  process.exitCode = 1;
}

/**
 * Prints a line a file, with the lines that did not run, and the total.
 * @param {string} folder
 * @param {Map<string, Map<number, number>>} files how often each line of each file ran
 */
function report(folder, files) {
  const all = [...files].sort(([a], [b]) => a.localeCompare(b)).filter(([, lines]) => lines.size > 0);
  const rows = all.map(([file, lines]) => row(file, [...lines.values()], missed(lines)));
  const counts = all.flatMap(([, lines]) => [...lines.values()]);
  const table = [...rows, row(`all of ${folder}/`, counts, ''), ''].join('\n');
  console.log(table);
  writeFileSync(join(FOLDER, 'lines.txt'), `${table}\n`, { flag: 'a' });
  if (percent(counts) < LEAST) {
    console.error(`Less than ${String(LEAST)} % of the lines of ${folder}/ ran.`);
    process.exitCode = 1;
  }
}

/**
 * @param {string} name
 * @param {number[]} counts
 * @param {string} missed
 */
function row(name, counts, missed) {
  const ran = counts.filter((count) => count > 0).length;
  const of = `${String(ran)} of ${String(counts.length)}`;
  return `${name.padEnd(34)}${of.padStart(14)}${percent(counts).toFixed(1).padStart(7)} %  ${missed}`.trimEnd();
}

/** @param {number[]} counts */
function percent(counts) {
  return (100 * counts.filter((count) => count > 0).length) / counts.length;
}

/**
 * The lines that did not run, neighbours together: 3, 7-9
 * @param {Map<number, number>} lines
 */
function missed(lines) {
  /** @type {[number, number][]} */
  const spans = [];
  let open = false;
  for (const [line, count] of [...lines].sort(([a], [b]) => a - b)) {
    const last = spans.at(-1);
    if (count > 0) open = false;
    else if (open && last) last[1] = line;
    else open = spans.push([line, line]) > 0;
  }
  return spans.map(([first, last]) => (first === last ? String(first) : `${String(first)}-${String(last)}`)).join(', ');
}
