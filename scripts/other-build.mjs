// Another build of the package in the place of the usual one, for as long as tests run over it.

import { execFileSync, spawnSync } from 'node:child_process';
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
 * Whether the tests of the Node face pass, over the build that is there: all but those that limit or trace a process, in which such
 * a build needs more than they allow, and those of the distributed example, which take a quarter of an hour over one.
 * @param {NodeJS.ProcessEnv} env
 */
export function testNodeFace(env) {
  return runNode(['node_modules/jest/bin/jest.js', '__test__/(?!privacy|memory|distributed)'], env);
}

/**
 * What a program says.
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function output(program, args, env = process.env) {
  return execFileSync(program, args, { cwd: ROOT, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}

/** What rustc builds for unless it is told. */
export function hostTarget() {
  return /^host: (.+)/m.exec(output('rustc', ['-vV']))?.[1] ?? '';
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
