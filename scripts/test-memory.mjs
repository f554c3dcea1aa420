// All Rust tests and those of the Node face under AddressSanitizer, the Rust unit tests under valgrind: npm run test:memory
// Linux with gcc or clang, and valgrind, which finds what the sanitizer does not look for: memory that is used before it is written.
// The sanitizer checks what is compiled, our code and its crates, and of ONNX Runtime and Node what they allocate and free.
// Ends with 1 if a test fails or anything was found; reports are in target/memory/reports.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hostTarget, output, runNode, testNodeFace, withOtherBuild } from './other-build.mjs';
import { ROOT } from './packages.mjs';

const FOLDER = join(ROOT, 'target', 'memory');
const REPORTS = join(FOLDER, 'reports');

/** Said to every process; each process that something is found in leaves a report, whoever started it. */
const OPTIONS = {
  log_path: join(REPORTS, 'report'),
  // What is too large is refused, as without the sanitizer: tests ask for it.
  allocator_may_return_null: 1,
  // A process that tests kill by a signal has to die of that signal.
  handle_segv: 0,
  handle_bus: 0,
  handle_fpe: 0,
  handle_sigill: 0,
  // Nobody frees what lives until the end: Node, V8, ONNX Runtime's environment. bench/soak.mjs looks for growth.
  detect_leaks: 0,
};

rmSync(REPORTS, { recursive: true, force: true });
mkdirSync(REPORTS, { recursive: true });
const env = {
  ...process.env,
  ASAN_OPTIONS: Object.entries(OPTIONS)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(':'),
};
const host = hostTarget();
const profile = { CARGO_PROFILE_DEV_OPT_LEVEL: '2', CARGO_PROFILE_DEV_DEBUG: 'line-tables-only' };
const forCargo = {
  ...env,
  ...profile,
  // Sanitizers are not in stable Rust yet.
  RUSTC_BOOTSTRAP: '1',
  RUSTFLAGS: '-Zsanitizer=address',
  CARGO_TARGET_DIR: FOLDER,
  // Said, so that build scripts and macros, which run in the compiler, are left out.
  CARGO_BUILD_TARGET: host,
};
const forValgrind = {
  ...process.env,
  ...profile,
  CARGO_TARGET_DIR: join(FOLDER, 'valgrind'),
  [`CARGO_TARGET_${host.toUpperCase().replaceAll('-', '_')}_RUNNER`]: `valgrind --quiet --error-exitcode=1 --suppressions=${join(ROOT, 'scripts', 'valgrind.supp')}`,
};

output('valgrind', ['--version']); // or an error that says what is missing, before anything is built
const unit = runNode(['scripts/test-rust.mjs', '--lib', '--', '--test-threads=1'], forValgrind);
const rust = runNode(['scripts/test-rust.mjs', '--no-fail-fast'], forCargo);
const node = await withOtherBuild(FOLDER, ['--debug'], forCargo, () =>
  testNodeFace({ ...env, LD_PRELOAD: sharedRuntime(), SENTENCE_EMBEDDER_TEST_SLOWNESS: '5' }),
);

const reports = readdirSync(REPORTS);
for (const report of reports) console.error(readFileSync(join(REPORTS, report), 'utf8'));
console.log(`With the sanitizer: Rust ${word(rust)}, Node face ${word(node)}, ${String(reports.length)} reports.`);
console.log(`Under valgrind: Rust unit tests ${word(unit)}.`);
if (!unit || !rust || !node || reports.length > 0) process.exitCode = 1;

/** @param {boolean} passed */
function word(passed) {
  return passed ? 'passed' : 'failed';
}

/**
 * The sanitizer's runtime as a library: rustc links it into programs alone, and Node is none of its programs.
 * @returns {string} its path
 */
function sharedRuntime() {
  const folder = output('rustc', ['--print', 'target-libdir']);
  const name = readdirSync(folder).find((file) => file.endsWith('_rt.asan.a'));
  if (!name) throw new Error(`${folder} has no AddressSanitizer: the Rust of rustup has it on Linux`);
  const archive = join(FOLDER, 'runtime.a');
  copyFileSync(join(folder, name), archive);
  // What is called before everything else in a program, which a library cannot have: loading it does the same.
  const before = output('ar', ['t', archive])
    .split('\n')
    .filter((member) => member.includes('preinit'));
  execFileSync('ar', ['d', archive, ...before]);
  // Not named as clang's or gcc's own is: the runtime takes that for a second one.
  const library = join(FOLDER, 'address-sanitizer.so');
  const whole = ['-Wl,--whole-archive', archive, '-Wl,--no-whole-archive'];
  execFileSync('cc', ['-shared', '-o', library, ...whole, '-lpthread', '-ldl', '-lrt', '-lm']);
  return library;
}
