/** One run at a time writes to an index. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { embedError } from '../errors.js';
import { nativeAddon, type FileLock } from '../native.js';

/** Does `work` as the only run on the index in a folder, which is made if it is not there; refuses while there is another. */
export async function alone(folder: string, work: () => Promise<void>): Promise<void> {
  const lock = lockOf(folder);
  if (!lock) {
    const message =
      `Expected an index for --db that no other run is writing to, but another run is writing to ${folder}. ` +
      'Wait until it has ended, or choose another folder for --db';
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', message);
  }
  try {
    await work();
  } finally {
    lock.release();
  }
}

/** Nothing while another run has it. On a file system without locks everybody gets it. */
function lockOf(folder: string): FileLock | null {
  const addon = nativeAddon();
  try {
    mkdirSync(folder, { recursive: true });
    return addon.lockFile(join(folder, '.lock'));
  } catch (cause) {
    const message = `Expected a writable folder for --db but received ${folder}`;
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', message, { cause });
  }
}
