// The Python package that the store's tests share a cache with, in an environment of its own: .cache/venv.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, ROOT } from './packages.mjs';

const requirements = join(ROOT, 'scripts', 'python-requirements.txt');
const environment = join(CACHE, 'venv');
const python = join(environment, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));
/** What was installed, once all of it is. */
const installed = join(environment, 'requirements.txt');

/**
 * Runs a program and answers whether it succeeded.
 * @param {string} program
 * @param {string[]} args
 */
const succeeds = (program, args) => spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;

if (!existsSync(installed) || readFileSync(installed, 'utf8') !== readFileSync(requirements, 'utf8')) {
  console.log('Installing huggingface_hub for the tests …');
  const system = process.platform === 'win32' ? 'python' : 'python3';
  const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes'];
  const install = ['-m', 'pip', 'install', ...options, '--requirement', requirements];
  if (!succeeds(system, ['-m', 'venv', '--clear', environment]) || !succeeds(python, install)) {
    console.error(
      `huggingface_hub could not be installed into ${environment}: the store's tests need Python 3.10 or later with venv and pip`,
    );
    process.exit(1);
  }
  copyFileSync(requirements, installed);
}
