/** Finds LanceDB, which is an optional package of its own, or tells how to install it. */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as LanceDb from '@lancedb/lancedb';
import { embedError } from '../errors.js';

/** What is used of LanceDB. */
export type Lance = Pick<typeof LanceDb, 'connect' | 'makeArrowTable'>;

/** LanceDB, which is a package of its own: the one beside this package, else that of the project one is in. */
export function lanceDb(): Lance {
  const name = '@lancedb/lancedb';
  let cause: unknown;
  for (const place of [__filename, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(place)(name) as Lance;
    } catch (error) {
      cause ??= error;
    }
  }
  const message = `The commands index and search need LanceDB, which is not installed. Install it: npm install ${name}`;
  throw embedError('ERR_EMBED_RUNTIME_NOT_FOUND', message, { cause });
}
