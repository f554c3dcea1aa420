// The demo answers on the model that it has, and says so in a line when that is not the default one.

import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolders } from './store/run';
import { modelFolder } from './support/fixtures';
import { miniLM } from './support/models';
import { ROOT, runNode } from './support/processes';

const DEFAULT_MODEL = 'sentence-transformers/paraphrase-multilingual-mpnet-base-v2';
const COMMIT = '4328cf26390c98c5e3c738b4460a05b95f4911f5'; // of the catalogue, in src/model/catalog.rs
const SMALL = /^Using the small all-MiniLM-L6-v2: the default model \(1\.1 GB\) is not in the cache.*\n$/gm;

const fresh = freshFolders();

/** What the demo says of one question, with this cache of models. */
function demo(cache: string, ...args: string[]): string {
  const env = { ...process.env, HF_HUB_CACHE: cache, HF_ENDPOINT: 'http://127.0.0.1:9' };
  const { status, stdout, stderr } = runNode(
    [join(ROOT, 'demo', 'demo.mjs'), '--query', 'Why does bread rise?', ...args],
    { env },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

test('without the default model it uses the small one and says why, in one line', () => {
  miniLM(); // fails if it was not fetched, instead of fetching it here
  const said = demo(fresh());
  expect(said.match(SMALL)).toHaveLength(1);
  expect(said).toMatch(/Why does bread rise\?.*\n.*en {2}Yeast eats the sugar/);
});

test('with the default model it uses that one', () => {
  const cache = fresh();
  const snapshot = join(cache, `models--${DEFAULT_MODEL.replace('/', '--')}`, 'snapshots', COMMIT);
  mkdirSync(snapshot, { recursive: true });
  cpSync(modelFolder('xlmr'), snapshot, { recursive: true }); // of the default model's kind, with few weights
  const said = demo(cache);
  expect(said).toContain(`${DEFAULT_MODEL}: `);
  expect(said).not.toMatch(SMALL);
});

test('with a model that was named it uses that one', () => {
  const said = demo(fresh(), '--model', modelFolder('bert'));
  expect(said).toContain('32 dimensions');
  expect(said).not.toMatch(SMALL);
});
