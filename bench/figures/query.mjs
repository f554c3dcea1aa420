// One short query at a time: on an idle machine, and while texts are being indexed.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from 'simple-statistics';
import { batches, QUERIES } from '../texts.mjs';

// As someone types: between two queries everything has gone to sleep again.
const PAUSE_MS = 50;
const WARM_UPS = 5;
// So that a contender that takes 20 s for a query ends, with a figure.
const FEWEST = 3;
// Calls of bulk work that wait at any time, so that the contender is never idle.
const OUTSTANDING = 2;

/**
 * @typedef {import('../contenders/index.mjs').Contender} Contender
 */

/**
 * @param {Contender} contender
 * @param {{ count: number, seconds: number }} limits
 */
export async function idleQueries(contender, limits) {
  for (const text of QUERIES.slice(0, WARM_UPS)) await oneQuery(contender, text);
  return percentiles(await queries(contender, limits));
}

/**
 * @param {Contender} contender
 * @param {string[]} texts
 * @param {{ count: number, seconds: number }} limits
 */
export async function queriesDuringBulk(contender, texts, limits) {
  let running = true;
  let embedded = 0;
  const calls = batches(texts);
  const indexing = Array.from({ length: OUTSTANDING }, async (_, lane) => {
    for (let at = lane; running; at += 1) {
      const call = calls[at % calls.length] ?? [];
      await contender.embed(call);
      embedded += call.length;
    }
  });
  const started = performance.now();
  const times = await queries(contender, limits);
  const seconds = (performance.now() - started) / 1000;
  running = false;
  const textsPerSecond = embedded / seconds;
  await Promise.all(indexing);
  return { ...percentiles(times), textsPerSecond };
}

/**
 * @param {Contender} contender
 * @param {{ count: number, seconds: number }} limits
 */
async function queries(contender, { count, seconds }) {
  const times = [];
  const started = performance.now();
  for (let at = 0; at < count; at += 1) {
    if (at >= FEWEST && performance.now() - started > 1000 * seconds) break;
    await sleep(PAUSE_MS);
    times.push(await oneQuery(contender, QUERIES[at % QUERIES.length] ?? ''));
  }
  return times;
}

/**
 * @param {Contender} contender
 * @param {string} text
 */
async function oneQuery(contender, text) {
  if (contender.timed) return await contender.timed([text]);
  const started = performance.now();
  await (contender.embedQuery?.(text) ?? contender.embed([text]));
  return performance.now() - started;
}

/** @param {number[]} times */
function percentiles(times) {
  return { p50Ms: quantile(times, 0.5), p95Ms: quantile(times, 0.95), queries: times.length };
}
