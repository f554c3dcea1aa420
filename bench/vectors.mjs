// What vectors lose when they are made smaller, and what topK gains over a loop:
// node bench/vectors.mjs --model FOLDER --stsb FILE
// FILE is the test part of STS-B as CSV: two sentences and the likeness that people gave them, a line each.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { mean, median, sampleCorrelation } from 'simple-statistics';
import { binarize, cosineSimilarity, Embedder, quantizeInt8, topK, truncateDimensions } from 'sentence-embedder';

const { values } = parseArgs({ options: { model: { type: 'string' }, stsb: { type: 'string' } } });
if (!values.model || !values.stsb) throw new Error('Expected --model FOLDER and --stsb FILE');

const pairs = readFileSync(values.stsb, 'utf8')
  .trim()
  .split('\n')
  .map((line) => {
    const fields = [...line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)];
    const [a, b, score] = fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
    return { a: a ?? '', b: b ?? '', score: Number(score) };
  });

const embedder = await Embedder.load({ model: values.model });
const first = await embedder.embedBatch(pairs.map(({ a }) => a));
const second = await embedder.embedBatch(pairs.map(({ b }) => b));
await embedder.close();
loss(first, second);
speed();

/**
 * @param {Float32Array[]} first
 * @param {Float32Array[]} second
 */
function loss(first, second) {
  const given = pairs.map(({ score }) => score);
  const half = embedder.info.dimension / 2;
  /** @type {[string, (vectors: Float32Array[]) => Float32Array[]][]} */
  const kinds = [
    ['fp32', (vectors) => vectors],
    ['int8', (vectors) => quantizeInt8(vectors).vectors.map((vector) => Float32Array.from(vector))],
    // The cosine of vectors of 1 and -1 falls with their Hamming distance, and with nothing else.
    ['binary', (vectors) => binarize(vectors).map(signs)],
    [`first ${String(half)}`, (vectors) => truncateDimensions(vectors, half, { force: true })],
  ];
  const whole = first.map((query) => topK(query, second, 10));
  const rows = kinds.map(([name, make]) => {
    const [a, b] = [make(first), make(second)];
    const cosines = a.map((vector, i) => cosineSimilarity(vector, b[i] ?? vector));
    const kept = a.map((query, i) => shared(topK(query, b, 10), whole[i] ?? []));
    const sortedAnew = a.map((query, i) => {
      const some = topK(query, b, 40).map(({ index }) => index);
      const best = topK(
        first[i] ?? query,
        some.map((index) => second[index] ?? query),
        10,
      );
      return shared(
        best.map(({ index }) => ({ index: some[index] ?? -1 })),
        whole[i] ?? [],
      );
    });
    return [name, sampleCorrelation(ranks(cosines), ranks(given)).toFixed(4), percent(kept), percent(sortedAnew)];
  });
  console.log(`${embedder.info.model}, ${String(pairs.length)} pairs of sentences`);
  console.log('vectors, Spearman, same among the first 10, and among the first 40 sorted anew');
  for (const row of rows) console.log(row.join('  '));
}

function speed() {
  const [count, dimension, k] = [100_000, 768, 10];
  const matrix = Float32Array.from({ length: count * dimension }, () => Math.random() - 0.5);
  const list = Array.from({ length: count }, (_, row) => matrix.subarray(row * dimension, (row + 1) * dimension));
  const query = matrix.slice(0, dimension);
  /** @type {Record<string, () => unknown>} */
  const ways = {
    'topK, one array': () => topK(query, matrix, k),
    'topK, a list': () => topK(query, list, k),
    'a loop': () => loop(query, matrix, k),
  };
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, /** @type {number[]} */ ([])]));
  for (let turn = 0; turn < 12; turn += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      way();
      if (turn > 1) times[name]?.push(performance.now() - start);
    }
  }
  console.log(`\n${String(k)} of ${String(count)} vectors of ${String(dimension)}, medians of 10 by turns`);
  for (const [name, ms] of Object.entries(times)) {
    console.log(
      `${name}  ${median(ms).toFixed(1)} ms (${Math.min(...ms).toFixed(1)} to ${Math.max(...ms).toFixed(1)})`,
    );
  }
}

/**
 * As one would write it: cosines of all, sorted.
 * @param {Float32Array} query
 * @param {Float32Array} matrix
 * @param {number} k
 */
function loop(query, matrix, k) {
  const dimension = query.length;
  let squares = 0;
  for (const x of query) squares += x * x;
  const found = [];
  for (let row = 0; row < matrix.length / dimension; row += 1) {
    let [both, own] = [0, 0];
    for (let i = 0; i < dimension; i += 1) {
      const x = matrix[row * dimension + i] ?? 0;
      both += x * (query[i] ?? 0);
      own += x * x;
    }
    found.push({ index: row, score: both / Math.sqrt(own * squares) });
  }
  return found.sort((a, b) => b.score - a.score).slice(0, k);
}

/** @param {Uint8Array} bytes */
function signs(bytes) {
  return Float32Array.from({ length: bytes.length * 8 }, (_, i) =>
    ((bytes[i >> 3] ?? 0) >> (7 - (i & 7))) & 1 ? 1 : -1,
  );
}

/**
 * @param {{ index: number }[]} found
 * @param {{ index: number }[]} wanted
 */
function shared(found, wanted) {
  return wanted.filter(({ index }) => found.some((other) => other.index === index)).length / wanted.length;
}

/** @param {number[]} shares */
function percent(shares) {
  return `${(mean(shares) * 100).toFixed(1)} %`;
}

/**
 * Ranks, as Spearman's correlation compares them: equal values share the mean of theirs.
 * @param {number[]} numbers
 */
function ranks(numbers) {
  const order = numbers.map((_, i) => i).sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0));
  const ranked = new Array(numbers.length).fill(0);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && numbers[order[to + 1] ?? 0] === numbers[order[from] ?? 0]) to += 1;
    for (let at = from; at <= to; at += 1) ranked[order[at] ?? 0] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return ranked;
}
