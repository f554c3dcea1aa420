// Searches a few dozen passages by meaning, inside this Node process.
// npm run demo
// npm run demo -- --query "why is the sky blue" --query "..." --model FOLDER

import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Embedder } from 'sentence-embedder';
import { fetchModel } from '../scripts/models.mjs';
import { bar, bold, dim, green, megabytes, milliseconds, row, seconds, wrap } from './print.mjs';

const QUERIES = [
  'Why does bread rise?',
  'I cannot log in any more',
  'What makes the sea come and go?',
  'Two programs wait for each other forever',
];
const SHOWN = 3;

const { values } = parseArgs({ options: { model: { type: 'string' }, query: { type: 'string', multiple: true } } });
/** @type {{ language: string, text: string }[]} */
const passages = JSON.parse(await readFile(new URL('./passages.json', import.meta.url), 'utf8'));

const before = process.memoryUsage().rss;
let start = performance.now();
const embedder = await (values.model ? Embedder.load({ model: await folderOrId(values.model) }) : loadDefault());
const loadTime = performance.now() - start;

start = performance.now();
const { vectors, tokenCounts } = await embedder.embedDetailed(passages.map((passage) => passage.text));
const embedTime = performance.now() - start;

const { info } = embedder;
const languages = new Set(passages.map((passage) => passage.language)).size;
const tokens = tokenCounts.reduce((sum, count) => sum + count, 0);
console.log();
console.log(`  ${bold('sentence-embedder')}  ${dim('search by meaning, inside this Node process')}`);
console.log();
console.log(
  row(
    'model',
    `${info.model}: ${String(info.dimension)} dimensions, ${String(info.maxTokens)} tokens, ${info.precision}`,
  ),
);
console.log(row('loaded', `in ${seconds(loadTime)}, ${String(info.threads)} threads`));
console.log(
  row(
    'embedded',
    `${String(passages.length)} passages in ${String(languages)} languages, ${String(tokens)} tokens, in ${seconds(embedTime)}: ` +
      `${((passages.length / embedTime) * 1000).toFixed(0)} per second`,
  ),
);

for (const query of values.query ?? QUERIES) {
  start = performance.now();
  const vector = await embedder.embedOne(query);
  const answerTime = performance.now() - start;
  const ranked = passages
    .map((passage, i) => ({ ...passage, score: cosine(vector, /** @type {Float32Array} */ (vectors[i])) }))
    .sort((a, b) => b.score - a.score);

  console.log();
  console.log(`  ${bold(query)}  ${dim(milliseconds(answerTime))}`);
  for (const { language, score, text } of ranked.slice(0, SHOWN)) {
    console.log(`  ${green(bar(score))} ${score.toFixed(2)}  ${dim(language)}  ${wrap(text, 23)}`);
  }
}

const after = process.memoryUsage().rss;
await embedder.close();
console.log();
console.log(row('memory', `${megabytes(after)} resident, ${megabytes(after - before)} of it for the model`));
if (info.model === 'sentence-transformers/all-MiniLM-L6-v2') {
  console.log();
  console.log(
    `  ${dim('all-MiniLM-L6-v2 was trained on English: it ranks passages in other languages by the words and names they')}`,
  );
  console.log(
    `  ${dim('share with the question, not by meaning. For a multilingual model: npm run demo -- --model FOLDER')}`,
  );
}
console.log();

/**
 * The cosine of two vectors, whatever their length.
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function cosine(a, b) {
  const dot = (/** @type {Float32Array} */ x, /** @type {Float32Array} */ y) =>
    x.reduce((sum, value, i) => sum + value * /** @type {number} */ (y[i]), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** The default model where it is in the cache; else a small one, since 1.1 GB are too much for a first look. */
async function loadDefault() {
  try {
    return await Embedder.load({ offline: true });
  } catch (error) {
    if (/** @type {{ code?: string }} */ (error).code !== 'ERR_EMBED_OFFLINE') throw error;
  }
  const model = await fetchModel('all-MiniLM-L6-v2');
  console.log(
    'Using the small all-MiniLM-L6-v2: the default model (1.1 GB) is not in the cache. ' +
      'To download it: npx sentence-embedder pull',
  );
  start = performance.now();
  return Embedder.load({ model });
}

/**
 * A folder by its absolute path, or the id of a model as it is.
 * @param {string} name
 */
async function folderOrId(name) {
  const found = await stat(name).catch(() => undefined);
  return found?.isDirectory() ? resolve(name) : name;
}
