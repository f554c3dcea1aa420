// Which lines of src/ ran, from what the instrumented Rust code counted in every process.

import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseEnv } from 'node:util';
import { hostTarget, output } from './other-build.mjs';
import { ROOT } from './packages.mjs';
import { withTools } from './pip-tools.mjs';

/** The major version of the LLVM in coverage-requirements.txt: an older one does not read what a newer rustc writes. */
const LLVM = '22';

/**
 * An environment in which cargo builds instrumented code, into a folder of its own, and that code writes what it counts.
 * @returns {NodeJS.ProcessEnv}
 */
export function instrumented() {
  const tools = withTools('coverage-tools', 'coverage-requirements.txt', 'cargo-llvm-cov');
  const env = {
    ...tools,
    ...llvmTools(tools),
    CARGO_TARGET_DIR: join(ROOT, 'target', 'coverage'),
    // Said, since the build of the addon says it: so tests and addon share what is built.
    CARGO_BUILD_TARGET: hostTarget(),
    // Unoptimised, the tests with real models take hours. What counts is put in before anything is optimised.
    CARGO_PROFILE_DEV_OPT_LEVEL: '2',
    CARGO_PROFILE_DEV_DEBUG: '0',
    // The packaged LLVM reads no compressed names; and within loops, registers count.
    RUSTFLAGS: '-Cllvm-args=-enable-name-compression=false -Cllvm-args=-do-counter-promotion=true',
  };
  cargoLlvmCov(['clean', '--workspace'], env);
  return { ...env, ...parseEnv(cargoLlvmCov(['show-env', '--no-cfg-coverage'], env)) };
}

/**
 * How often each line of code ran, for every file of src/: tests left out.
 * @param {NodeJS.ProcessEnv} env the one that the processes had
 * @param {string} report where to write what was counted, in the lcov format
 * @returns {Map<string, Map<number, number>>}
 */
export function linesOfSrc(env, report) {
  // Flags do not reach the build script, whose compressed names cannot be read: nobody asks what it counted.
  cargoLlvmCov(['report', '--failure-mode', 'all', '--lcov', '--output-path', report], env);
  const records = readFileSync(report, 'utf8').split('end_of_record');
  /** @type {Map<string, Map<number, number>>} */
  const files = new Map();
  for (const record of records) {
    const file = relative(ROOT, /^SF:(.+)$/m.exec(record)?.[1] ?? ROOT);
    if (!file.startsWith('src/') || file.endsWith('/tests.rs')) continue;
    const tests = firstLineOfTests(file);
    const lines = new Map();
    for (const [, line, count] of record.matchAll(/^DA:(\d+),(\d+)/gm)) {
      if (Number(line) < tests) lines.set(Number(line), Number(count));
    }
    files.set(file, lines);
  }
  return files;
}

/**
 * Where the module with the tests of a file begins, which is the last thing in it.
 * @param {string} file
 */
function firstLineOfTests(file) {
  const [code = '', tests] = readFileSync(join(ROOT, file), 'utf8').split(
    /^#\[cfg\(test\)\]\n(?=(?:#\[cfg\(.*\n)?(?:pub )?mod \w+ \{)/m,
  );
  return tests === undefined ? Infinity : code.split('\n').length;
}

/**
 * Where the LLVM tools are: cargo-llvm-cov finds those that rustup has for rustc; otherwise those of
 * coverage-requirements.txt serve.
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
function llvmTools(env) {
  const ofRustup = join(output('rustc', ['--print', 'target-libdir']), '..', 'bin');
  if (readdirSync(ofRustup).some((name) => name.startsWith('llvm-cov'))) return {};
  const wanted = /^LLVM version: (\d+)/m.exec(output('rustc', ['-vV']))?.[1];
  if (process.platform !== 'linux' || process.arch !== 'x64' || wanted !== LLVM) {
    throw new Error(
      `The LLVM tools for LLVM ${String(wanted)} on ${process.platform} ${process.arch} are needed: ` +
        '"rustup component add llvm-tools" gets them',
    );
  }
  const folder = join(output('python', ['-c', 'import llvm; print(llvm.__path__[0])'], env), 'bin');
  return { LLVM_COV: join(folder, 'llvm-cov'), LLVM_PROFDATA: join(folder, 'llvm-profdata') };
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
const cargoLlvmCov = (args, env) => output('cargo', ['llvm-cov', ...args], env);
