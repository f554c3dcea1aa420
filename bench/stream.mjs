// embedStream holds memory still: a million short texts that nobody keeps, and what the process holds as they pass.
// The command keeps V8's nursery at 1 MB a half. V8 doubles it, up to 16 MB, each time that as much as it holds has survived in it
// since the last time, in all: in any program that runs for long it grows, whatever is held, and would be counted as growth here.
// npm run soak:stream -- [--texts 1000000] [--model FOLDER] [--precision fp32] [--threads N]

import { parseArgs } from 'node:util';
import { Embedder } from 'sentence-embedder';
import { randomNumbers, whole } from './mixed-texts.mjs';
import { growth, resources } from './resources.mjs';
import { chunks } from './texts.mjs';

const { values } = parseArgs({
  options: {
    texts: { type: 'string', default: '1000000' },
    model: { type: 'string', default: '.cache/models/all-MiniLM-L6-v2' },
    precision: { type: 'string', default: 'fp32' },
    threads: { type: 'string' },
  },
});

/** How often memory is looked at, in texts; that of the first look is what the last is compared with. */
const LOOK = 50_000;
const WORDS = chunks(2000, 20).join(' ').split(' ');

/** Texts of 1 to 12 words, made as they are asked for. @param {number} total */
function* texts(total) {
  const random = randomNumbers(1);
  for (let made = 0; made < total; made++) {
    const start = whole(random, WORDS.length - 12);
    yield WORDS.slice(start, start + 1 + whole(random, 12)).join(' ');
  }
}

const total = Number(values.texts);
if (total < 2 * LOOK)
  throw new RangeError(`Expected at least ${String(2 * LOOK)} for --texts but received ${values.texts}`);
const embedder = await Embedder.load({
  model: values.model,
  precision: /** @type {'fp32' | 'int8'} */ (values.precision),
  normalize: true,
  ...(values.threads ? { threads: Number(values.threads) } : {}),
});
/** @type {import('./resources.mjs').Resources | undefined} */
let settled;
let [done, wrong, most] = [0, 0, 0];
const started = Date.now();
for await (const { index, vector } of embedder.embedStream(texts(total))) {
  const length = vector.reduce((sum, value) => sum + value * value, 0);
  if (index !== done || !(Math.abs(length - 1) < 1e-4)) wrong += 1;
  done += 1;
  if (done % LOOK === 0) {
    const held = resources();
    settled ??= held;
    most = Math.max(most, held.rss);
    console.error(done, held, `of it V8's heap ${(process.memoryUsage().heapTotal / 1e6).toFixed(1)} MB`);
  }
}
const seconds = (Date.now() - started) / 1000;
const after = resources();
await embedder.close();
console.log({ texts: done, seconds, settled, most, after });
const failures = settled ? growth(settled, after) : [];
if (wrong > 0) failures.push(`${String(wrong)} vectors are not of unit length, or out of order`);
if (done !== total) failures.push(`${String(done)} vectors for ${values.texts} texts`);
for (const failure of failures) console.error(failure);
console.log(failures.length === 0 ? 'No failures' : `${String(failures.length)} failures`);
process.exitCode = failures.length === 0 ? 0 : 1;
