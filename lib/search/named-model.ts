/** How the model of an index was named, kept beside it: who asks the index, or brings it up to date, need not name it again. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { embedError } from '../errors.js';
import { replaceFile } from '../replace-file.js';
import type { LoadOptions } from '../types.js';

const FILE = '.model.json';

/** What says which model it is. The stamp says whether it still is the same. */
type NamedModel = Pick<LoadOptions, 'model' | 'precision'>;

/** How the model of the index in `database` was named; nothing if nobody has kept that. */
async function namedModelOf(database: string): Promise<NamedModel> {
  try {
    const { model, precision } = JSON.parse(await readFile(join(database, FILE), 'utf8')) as NamedModel;
    return { ...(model !== undefined && { model }), ...(precision !== undefined && { precision }) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    // Not the default model instead: it would be downloaded, and be the wrong one.
    const message = `Expected the name of the index's model in ${join(database, FILE)}, which cannot be read: name it with --model`;
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', message, { cause });
  }
}

/** The options of a load over an index: those given, which name a model or leave that to the index. */
export async function withNamedModel(database: string, given: LoadOptions): Promise<LoadOptions> {
  return given.model === undefined ? { ...(await namedModelOf(database)), ...given } : given;
}

/** Keeps how the model was named. A folder is kept by its absolute path, since the next command may be given elsewhere. */
export async function keepNamedModel(database: string, { model, precision }: NamedModel): Promise<void> {
  const place = model !== undefined && existsSync(model) ? resolve(model) : model;
  const [file, text] = [join(database, FILE), `${JSON.stringify({ model: place, precision })}\n`];
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== text) await replaceFile(file, text);
}
