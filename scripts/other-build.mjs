// Another build of the package in the place of the usual one, for as long as tests run over it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './packages.mjs';

/**
 * Builds, runs what is to be run over it, and puts the usual build back. The other one is kept beside it.
 * @param {string} folder where both are kept meanwhile and afterwards
 * @param {string[]} options of build.mjs
 * @param {NodeJS.ProcessEnv} env to build with
 * @param {() => boolean | Promise<boolean>} use answers whether all went well
 * @returns {Promise<boolean>} the same; false if the build failed
 */
export async function withOtherBuild(folder, options, env, use) {
  const usual = join(folder, 'usual');
  moveBuilt(ROOT, usual);
  try {
    return runNode(['scripts/build.mjs', ...options], env) && (await use());
  } finally {
    moveBuilt(ROOT, join(folder, 'other'));
    moveBuilt(usual, ROOT);
  }
}

/**
 * Whether a program of Node, run in the root, ended well.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
export function runNode(args, env) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env });
  if (error) throw error;
  return status === 0;
}

/**
 * Moves what `npm run build` makes.
 * @param {string} from
 * @param {string} to
 */
function moveBuilt(from, to) {
  mkdirSync(to, { recursive: true });
  const built = readdirSync(from).filter((name) => name === 'dist' || name.endsWith('.node'));
  for (const name of built) renameSync(join(from, name), join(to, name));
}
