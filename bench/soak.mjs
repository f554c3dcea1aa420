// Nothing lost, nothing leaked: mixed texts for a long time, an embedder loaded and closed again and again, workers that come and go.
// npm run soak -- [--texts 100000] [--minutes M] [--cycles 500] [--workers 200] [--model FOLDER] [--precision fp32]

import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Embedder } from 'sentence-embedder';
import { mixedText, randomNumbers, whole } from './mixed-texts.mjs';
import { growth, resources, typical } from './resources.mjs';

const { values } = parseArgs({
  options: {
    texts: { type: 'string', default: '100000' },
    minutes: { type: 'string', default: '1000' },
    cycles: { type: 'string', default: '500' },
    workers: { type: 'string', default: '200' },
    model: { type: 'string', default: '.cache/models/all-MiniLM-L6-v2' },
    precision: { type: 'string', default: 'fp32' },
  },
});
const options = { model: values.model, precision: /** @type {'fp32' | 'int8'} */ (values.precision), normalize: true };

/** Texts after which memory is first looked at. */
const SETTLED = 5000;
/** Texts that are embedded alone as well. */
const SAMPLE = 1000;

/** @type {string[]} */
const failures = [];

/** @param {Float32Array} vector */
const isUnit = (vector) => Math.abs(vector.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-4;

/** @param {Float32Array} a @param {Float32Array} b */
const distance = (a, b) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? NaN))), 0);

async function soak() {
  const [total, deadline] = [Number(values.texts), Date.now() + Number(values.minutes) * 60_000];
  if (total === 0) return;
  const random = randomNumbers(1);
  const embedder = await Embedder.load(options);
  /** @type {string[]} */
  const sample = [];
  // One block from the start: a vector each, among the answers that pass, would scatter the allocator's pages.
  const { dimension } = embedder.info;
  const sampled = new Float32Array(SAMPLE * dimension);
  const sampledRow = (/** @type {number} */ place) => sampled.subarray(place * dimension, (place + 1) * dimension);
  /** @type {string[]} */
  const earlier = [];
  let [done, queries, characters, worst] = [0, 0, 0, 0];
  /** @type {import('./resources.mjs').Resources | undefined} */
  let settled;
  const started = Date.now();
  while (done < total && Date.now() < deadline) {
    const texts = Array.from({ length: Math.min(1 + whole(random, 256), total - done) }, () =>
      mixedText(random, earlier),
    );
    const query = embedder.embedOne(texts[0]?.slice(0, 80) ?? '');
    const vectors = await embedder.embedBatch(texts);
    if (!isUnit(await query)) failures.push(`query ${String(queries)} is not of unit length`);
    queries += 1;
    if (vectors.length !== texts.length)
      failures.push(`${String(vectors.length)} vectors for ${String(texts.length)} texts`);
    for (const [index, vector] of vectors.entries()) {
      const text = texts[index] ?? '';
      characters += text.length;
      if (!isUnit(vector)) failures.push(`text ${String(done + index)} has no vector of unit length`);
      const place = sample.length < SAMPLE ? sample.length : whole(random, done + index + 1);
      if (place < SAMPLE) {
        sample[place] = text;
        sampledRow(place).set(vector);
      }
      if (earlier.length < 100) earlier.push(text);
    }
    done += texts.length;
    if (!settled && done >= SETTLED) settled = resources();
    if (Math.floor(done / 5000) > Math.floor((done - texts.length) / 5000)) console.error(done, resources());
  }
  const seconds = (Date.now() - started) / 1000;
  const after = resources();
  for (const [place, text] of sample.entries()) {
    const alone = distance(sampledRow(place), await embedder.embedOne(text));
    worst = Math.max(worst, alone);
    if (!(alone <= 1e-5))
      failures.push(`a text of ${String(text.length)} characters differs by ${String(alone)} when alone`);
  }
  const stats = embedder.stats();
  if (stats.failures > 0) failures.push(`${String(stats.failures)} failures are counted`);
  if (!settled) failures.push(`fewer than ${String(SETTLED)} texts were embedded: memory was not compared`);
  else failures.push(...growth(settled, after));
  await embedder.close();
  console.log({ texts: done, characters, queries, seconds, sample: sample.length, worst, settled, after });
}

/**
 * Does something again and again, and compares what the process holds in the second quarter and in the last: the system's
 * allocator keeps what it freed, and more of it with each new thread, up to a bound that forty loads reach. Medians, as it
 * keeps a tenth more or less from one time to the next.
 * @param {string} name
 * @param {number} times
 * @param {() => Promise<void>} once
 */
async function again(name, times, once) {
  if (times === 0) return;
  /** @type {import('./resources.mjs').Resources[]} */
  const held = [];
  for (let time = 0; time < times; time++) {
    await once();
    const now = resources();
    held.push(now);
    if (time % 50 === 0) console.error(name, time, now);
  }
  const quarter = Math.floor(times / 4);
  if (quarter === 0) {
    failures.push(`${name}: fewer than 4 times: memory was not compared`);
    return;
  }
  const settled = typical(held.slice(quarter, 2 * quarter));
  const after = typical(held.slice(-quarter));
  failures.push(...growth(settled, after).map((what) => `${name}: ${what}`));
  console.log({ [name]: times, settled, after });
}

async function loadAndClose() {
  const embedder = await Embedder.load(options);
  if (!isUnit(await embedder.embedOne('some text'))) failures.push('a fresh embedder gave no vector of unit length');
  await embedder.close();
}

const WORKER = `
const { parentPort, workerData } = require('node:worker_threads');
const { Embedder } = require('sentence-embedder');
Embedder.load(workerData).then(async (embedder) => {
  const [vector] = await embedder.embedBatch(['some text', 'another']);
  parentPort.postMessage(vector.length);
  void embedder.embedBatch(Array(1000).fill('work that is under way when the worker goes'));
  if (Math.random() < 0.5) process.exit(0);
});`;

async function comeAndGo() {
  const worker = new Worker(WORKER, { eval: true, workerData: options });
  const [length] = await once(worker, 'message');
  if (!(length > 0)) failures.push('a worker gave no vector');
  await worker.terminate();
}

await soak();
await again('cycles', Number(values.cycles), loadAndClose);
await again('workers', Number(values.workers), comeAndGo);
for (const failure of failures.slice(0, 20)) console.error(failure);
console.log(failures.length === 0 ? 'No failures' : `${String(failures.length)} failures`);
process.exitCode = failures.length === 0 ? 0 : 1;
