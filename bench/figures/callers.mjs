// Many callers at once against the same number of calls one after the other.

import { performance } from 'node:perf_hooks';
import { BATCH_SIZE, batches } from '../texts.mjs';
import { timed } from './bulk.mjs';

/**
 * @param {import('../contenders/index.mjs').Contender} contender
 * @param {string[]} texts
 * @param {number} callers
 */
export async function concurrentCallers(contender, texts, callers) {
  const distinct = batches(texts);
  const calls = Array.from({ length: callers }, (_, at) => distinct[at % distinct.length] ?? []);
  // Half of the serial calls before and half after, so that a machine that warms up or slows down favours neither.
  const half = Math.ceil(callers / 2);
  let serialMs = 0;
  for (const call of calls.slice(0, half)) serialMs += await timed(contender, call);
  const started = performance.now();
  const answers = await Promise.allSettled(calls.map((call) => contender.embed(call)));
  const concurrentMs = performance.now() - started;
  for (const call of calls.slice(half)) serialMs += await timed(contender, call);
  const failures = answers.filter(({ status }) => status === 'rejected').length;
  const total = callers * BATCH_SIZE;
  return {
    callers,
    serialTextsPerSecond: (1000 * total) / serialMs,
    textsPerSecond: (1000 * (total - failures * BATCH_SIZE)) / concurrentMs,
    toSerial: serialMs / concurrentMs,
    failures,
  };
}
