// A hundred callers with random cancels, timeouts and priorities: every promise settles, with vectors or a code that was asked for.
// npm run stress -- [--minutes 10] [--callers 100] [--model FOLDER]

import { parseArgs } from 'node:util';
import { Embedder } from 'sentence-embedder';
import { mixedText, randomNumbers, whole } from './mixed-texts.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    callers: { type: 'string', default: '100' },
    model: { type: 'string', default: '.cache/models/all-MiniLM-L6-v2' },
  },
});

/** Longest that a call may take to settle once it was cancelled or late, in milliseconds; the machine may be busy. */
const PATIENCE = 30_000;

const embedder = await Embedder.load({ model: values.model, normalize: true });
const deadline = Date.now() + Number(values.minutes) * 60_000;
/** @type {Record<string, number>} */
const outcomes = {};
let longest = 0;

/** @param {number} seed */
async function caller(seed) {
  const random = randomNumbers(seed);
  while (Date.now() < deadline) {
    const texts = Array.from({ length: 1 + whole(random, 20) }, () => mixedText(random, []));
    const leaves = random() < 0.4 ? 1 + whole(random, 2000) : undefined;
    const timeoutMs = random() < 0.4 ? 1 + whole(random, 2000) : undefined;
    const controller = new AbortController();
    const timer =
      leaves === undefined
        ? undefined
        : setTimeout(() => {
            controller.abort();
          }, leaves);
    const started = performance.now();
    const allowed = ['answered', ...(leaves ? ['ERR_EMBED_ABORTED'] : []), ...(timeoutMs ? ['ERR_EMBED_TIMEOUT'] : [])];
    const outcome = await embedder
      .embedBatch(texts, {
        priority: random() < 0.3 ? 'interactive' : 'bulk',
        signal: controller.signal,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      })
      .then(
        (vectors) => (vectors.length === texts.length ? 'answered' : 'of the wrong length'),
        (/** @type {unknown} */ error) => /** @type {{ code: string }} */ (error).code,
      );
    clearTimeout(timer);
    const end = Math.min(leaves ?? Infinity, timeoutMs ?? Infinity);
    if (end < Infinity) longest = Math.max(longest, performance.now() - started - end);
    const known = allowed.includes(outcome) ? outcome : `unexpected: ${outcome}`;
    outcomes[known] = (outcomes[known] ?? 0) + 1;
  }
}

await Promise.all(Array.from({ length: Number(values.callers) }, (_, index) => caller(index + 1)));
const { lanes } = embedder.stats();
await embedder.close();
const left = lanes.interactive.queueDepth + lanes.bulk.queueDepth;
const failed =
  left > 0 || longest > PATIENCE || Object.keys(outcomes).some((outcome) => outcome.startsWith('unexpected'));
console.log({ outcomes, left, latestSettlementMs: Math.round(longest), failed });
process.exitCode = failed ? 1 : 0;
