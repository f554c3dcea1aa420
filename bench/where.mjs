// Where the benchmark's parts lie, and how the contenders' packages are found there.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Everything that bench/install.mjs installs and that a run leaves behind. */
export const BENCH_CACHE = join(ROOT, '.cache', 'bench');

/** The Python that has sentence-transformers and FastAPI: BENCH_PYTHON, or what bench/install.mjs made. */
export function python() {
  const ours = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
  return process.env['BENCH_PYTHON'] ?? join(BENCH_CACHE, 'venv', ...ours);
}

/**
 * A contender's package, from where bench/install.mjs put it.
 * @param {string} name
 * @returns {any}
 */
export function requireInstalled(name) {
  const manifest = join(BENCH_CACHE, 'package.json');
  if (!existsSync(manifest)) throw new Error('The contenders are not installed: run node bench/install.mjs');
  return createRequire(manifest)(name);
}
