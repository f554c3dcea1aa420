// Runs the command line tools of node_modules the same way on every system and from every folder.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './packages.mjs';

/**
 * Runs a tool and ends this process with its status if it fails.
 * @param {string} packageName
 * @param {string} tool
 * @param {string[]} args
 * @param {{ quiet?: boolean }} [options] quiet: show what it says only if it fails
 */
export function runTool(packageName, tool, args, { quiet = false } = {}) {
  const folder = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { status, error, stdout } = spawnSync(process.execPath, [join(folder, bin[tool]), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', 'inherit'],
  });
  if (error) throw error;
  if (status !== 0) {
    if (quiet) console.error(stdout);
    process.exit(status ?? 1);
  }
}
