// Installs the contenders into .cache/bench: node bench/install.mjs [--python python3.11] [--skip-python] [--skip-npm]
// No package's install script is run: onnxruntime-node's downloads CUDA libraries, which nothing here uses.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BENCH_CACHE, python } from './where.mjs';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: process.platform === 'win32' ? 'python' : 'python3' },
    'skip-python': { type: 'boolean', default: false },
    'skip-npm': { type: 'boolean', default: false },
  },
});

/**
 * Runs a command and ends this process with its status if it fails.
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  console.log(`$ ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, {
    cwd: BENCH_CACHE,
    stdio: 'inherit',
    shell: process.platform === 'win32' && command === 'npm', // npm is a .cmd file there
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {string} name */
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

mkdirSync(BENCH_CACHE, { recursive: true });

/** What npm writes into node_modules once everything is there. */
const installed = join(BENCH_CACHE, 'node_modules', '.package-lock.json');
/** @param {string} name */
const isSame = (name) =>
  existsSync(join(BENCH_CACHE, name)) &&
  readFileSync(join(BENCH_CACHE, name)).equals(readFileSync(here(`contenders/npm/${name}`)));

const files = ['package.json', 'package-lock.json'];
if (!values['skip-npm'] && !(existsSync(installed) && files.every(isSame))) {
  for (const name of files) copyFileSync(here(`contenders/npm/${name}`), join(BENCH_CACHE, name));
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}
if (!values['skip-python'] && !process.env['BENCH_PYTHON']) {
  if (!existsSync(python())) run(values.python, ['-m', 'venv', join(BENCH_CACHE, 'venv')]);
  // The index's torch for Linux x64 brings CUDA libraries along (5 GB) and computes on the CPU without them.
  run(python(), ['-m', 'pip', 'install', '--only-binary=:all:', '-r', here('contenders/python/requirements.txt')]);
}
console.log(`The contenders are in ${BENCH_CACHE}`);
