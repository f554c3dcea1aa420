// Bulk speed: whole passes over the texts in calls of 32, one after the other, and what they do to the event loop.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { batches } from '../texts.mjs';

const NS_PER_MS = 1e6;
// The histogram's timer must tick before the work and after it, or a loop that stands still for all of it shows nothing.
const SETTLE_MS = 20;

/**
 * @param {import('../contenders/index.mjs').Contender} contender
 * @param {string[]} texts
 * @param {number} seconds how long at least
 */
export async function bulk(contender, texts, seconds) {
  const calls = batches(texts);
  await contender.embed(calls[0] ?? []); // warm-up
  // The histogram holds the time from one tick of a timer of 1 ms to the next, so an idle loop shows a little over 1.
  const loop = monitorEventLoopDelay({ resolution: 1 });
  let milliseconds = 0;
  let embedded = 0;
  loop.enable();
  await sleep(SETTLE_MS);
  do {
    for (const call of calls) milliseconds += await timed(contender, call);
    embedded += texts.length;
  } while (milliseconds < 1000 * seconds);
  await sleep(SETTLE_MS);
  loop.disable();
  return {
    textsPerSecond: (1000 * embedded) / milliseconds,
    loopDelayP99Ms: loop.percentile(99) / NS_PER_MS,
    loopDelayMaxMs: loop.max / NS_PER_MS,
  };
}

/**
 * Milliseconds that one call takes.
 * @param {import('../contenders/index.mjs').Contender} contender
 * @param {string[]} texts
 */
export async function timed(contender, texts) {
  if (contender.timed) return await contender.timed(texts);
  const started = performance.now();
  const vectors = await contender.embed(texts);
  if (vectors.length !== texts.length)
    throw new Error(`${String(vectors.length)} vectors of ${String(texts.length)} texts`);
  return performance.now() - started;
}
