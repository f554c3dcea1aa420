// What a process of its own costs: IsolatedEmbedder beside InProcessEmbedder, by turns.
// node bench/isolation.mjs [--rounds 10] [--model FOLDER] [--precision fp32]

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { InProcessEmbedder, IsolatedEmbedder } from 'sentence-embedder';
import { max, median, min } from 'simple-statistics';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    model: { type: 'string', default: '.cache/models/all-MiniLM-L6-v2' },
    precision: { type: 'string', default: 'fp32' },
  },
});
const config = {
  modelName: values.model,
  load: { precision: /** @type {'fp32' | 'int8'} */ (values.precision) },
};
/** Queries and batches of a round. */
const [QUERIES, BATCHES] = [50, 5];
const SENTENCE = 'Yeast makes the dough rise while the tide follows the moon, again and again. ';
/** @param {number} length @param {number} seed */
const text = (length, seed) =>
  `${String(seed)} ${SENTENCE.repeat(Math.ceil(length / SENTENCE.length))}`.slice(0, length);
const batch = Array.from({ length: 32 }, (_, i) => text(200, i));

/** @param {number | 'self'} pid */
const residentMB = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1e3;
/** @param {() => Promise<unknown>} work */
async function milliseconds(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** @param {() => InProcessEmbedder | IsolatedEmbedder} make */
const contender = (make) => {
  /** @type {Record<'startMs' | 'queryMs' | 'textsPerSecond' | 'memoryMB', number[]>} */
  const figures = { startMs: [], queryMs: [], textsPerSecond: [], memoryMB: [] };
  return { make, figures };
};
const contenders = {
  isolated: contender(() => new IsolatedEmbedder(config)),
  inProcess: contender(() => new InProcessEmbedder(config)),
};

for (let round = -1; round < Number(values.rounds); round++) {
  for (const { make, figures } of Object.values(contenders)) {
    const embedder = make();
    const before = residentMB('self');
    const start = await milliseconds(() => embedder.initialize());
    if (!embedder.getStats().isReady) throw embedder.lastError ?? new Error('It did not start');
    await embedder.embedTyped(batch);
    const times = [];
    for (let i = 0; i < QUERIES; i++) times.push(await milliseconds(() => embedder.embedTyped([text(40, i)])));
    const took = await milliseconds(async () => {
      for (let i = 0; i < BATCHES; i++) await embedder.embedTyped(batch);
    });
    const held = embedder instanceof IsolatedEmbedder ? residentMB(embedder.pid ?? 0) : residentMB('self') - before;
    await embedder.shutdown();
    if (round < 0) continue; // the first time prepares the model
    figures.startMs.push(start);
    figures.queryMs.push(median(times));
    figures.textsPerSecond.push((BATCHES * batch.length * 1000) / took);
    figures.memoryMB.push(held);
  }
}

for (const [name, { figures }] of Object.entries(contenders)) {
  const shown = Object.entries(figures).map(([figure, numbers]) => {
    const [middle, low, high] = [median, min, max].map((of) => of(numbers).toFixed(2));
    return [figure, `${String(middle)} (${String(low)} to ${String(high)})`];
  });
  console.log(name, Object.fromEntries(shown));
}
