// Runs programs against a hub in this process, which must go on serving: so they are never waited for synchronously.

import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/fixtures';
import { ROOT, SLOWNESS } from '../support/processes';
import type { TestHub } from './hub';

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Makes new caches below one folder that is removed after the tests of the file. */
export function freshFolders(): () => string {
  const parent = temporaryFolder();
  return () => mkdtempSync(join(parent, 'cache-'));
}

/** Runs `node` with the hub and the cache in its environment: jest's own does not reach the native side. */
export function runAgainst(hub: TestHub, cache: string, args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, HF_ENDPOINT: hub.url, HF_HUB_CACHE: cache, NO_PROXY: '*', HF_TOKEN: 'hf_secret' };
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { env, cwd: ROOT, timeout: 50_000 * SLOWNESS }, (error, stdout, stderr) => {
      const status = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
      resolve({ status, stdout, stderr });
    });
  });
}
