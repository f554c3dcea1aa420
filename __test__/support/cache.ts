// A cache for one run of jest: what the user's holds neither helps a test nor is touched by one.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Jest calls it once, before the processes of tests, which inherit the folder: a model is prepared once for all. */
export default function ownCache(): void {
  const folder = mkdtempSync(join(tmpdir(), 'sentence-embedder-cache-'));
  process.env['XDG_CACHE_HOME'] = folder;
  process.on('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
}
