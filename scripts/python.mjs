// The Python package that the store's tests share a cache with, in an environment of its own: .cache/venv.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from './packages.mjs';

/** @type {{ huggingface_hub: { version: string } }} */
const pins = JSON.parse(readFileSync(new URL('./pins.json', import.meta.url), 'utf8'));
const { version } = pins.huggingface_hub;
const environment = join(CACHE, 'venv');
const python = join(environment, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));

/**
 * Runs a program and answers whether it succeeded.
 * @param {string} program
 * @param {string[]} args
 */
const succeeds = (program, args) => spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;

const has = `from importlib.metadata import version; assert version('huggingface_hub') == '${version}'`;
if (!existsSync(python) || spawnSync(python, ['-c', has], { stdio: 'ignore' }).status !== 0) {
  console.log(`Installing huggingface_hub==${version} for the tests …`);
  const system = process.platform === 'win32' ? 'python' : 'python3';
  const install = ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', `huggingface_hub==${version}`];
  if (!succeeds(system, ['-m', 'venv', '--clear', environment]) || !succeeds(python, install)) {
    console.error(
      `huggingface_hub could not be installed into ${environment}: the store's tests need Python 3 with venv and pip`,
    );
    process.exit(1);
  }
}
