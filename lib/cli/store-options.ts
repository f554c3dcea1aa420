/** What `pull` and `prepare` have in common: how the user names a model and a folder for it, and work that shows progress. */

import { resolve } from 'node:path';
import { settle } from '../abort.js';
import type { NativeJob } from '../native.js';
import type { LoadEvent } from '../types.js';
import { CACHE_DETAIL, text, type Input, type OptionTable } from './command.js';
import { progressOn } from './progress.js';

/** For the command's table of options. */
export const STORE_OPTIONS: OptionTable = {
  out: { type: 'string' },
  precision: { type: 'string' },
  revision: { type: 'string' },
  'model-file': { type: 'string' },
  'cache-dir': { type: 'string' },
};

/** For the command's help: which model, and where the cache is. */
export const STORE_DETAILS: readonly string[] = [
  '--revision R  Commit, tag or branch on the hub (default: the commit this release knows, else main)',
  '--model-file F  ONNX file in the model (default: onnx/model.onnx, else model.onnx)',
  CACHE_DETAIL,
];

interface StoreOptions {
  model: string | undefined;
  precision: string | undefined;
  revision: string | undefined;
  modelFile: string | undefined;
  cacheDir: string | undefined;
  out: string | undefined;
  signal: AbortSignal;
}

/** What the user wrote, as the native side takes it. */
export function storeOptions(input: Input): StoreOptions {
  const out = text(input, 'out');
  return {
    model: input.operands[0],
    precision: text(input, 'precision'),
    revision: text(input, 'revision'),
    modelFile: text(input, 'model-file'),
    cacheDir: text(input, 'cache-dir'),
    out: out === undefined ? undefined : resolve(out),
    signal: input.signal,
  };
}

/** Waits for native work, which Ctrl-C ends, and shows how far it is. */
export async function withProgress<T>(
  options: { signal: AbortSignal },
  start: (show: (event: LoadEvent) => void) => NativeJob<T>,
): Promise<T> {
  const progress = progressOn(process.stderr);
  try {
    return await settle(options, () => start(progress.show));
  } finally {
    progress.end();
  }
}
