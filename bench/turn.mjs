// One turn of one contender in a process of its own: start, first vector, figures, memory, end. compare.mjs forks it.

import { performance } from 'node:perf_hooks';
import { CONTENDERS } from './contenders/index.mjs';
import { bulk } from './figures/bulk.mjs';
import { concurrentCallers } from './figures/callers.mjs';
import { memory } from './figures/memory.mjs';
import { idleQueries, queriesDuringBulk } from './figures/query.mjs';
import { chunks, QUERIES } from './texts.mjs';

/**
 * @typedef {'bulk1000' | 'bulk200' | 'query' | 'interference' | 'callers'} FigureName
 *
 * @typedef {object} Turn What compare.mjs asks for.
 * @property {string} contender
 * @property {string} model
 * @property {number} threads
 * @property {FigureName[]} figures
 * @property {{ seconds: number, texts1000: number, texts200: number, queries: number, callers: number }} sizes
 *
 * @typedef {object} TurnResult
 * @property {number} startMs from nothing to the first vector
 * @property {number[][]} sample vectors of some texts, to see that all contenders compute the same
 * @property {Awaited<ReturnType<typeof bulk>>} [bulk1000]
 * @property {Awaited<ReturnType<typeof bulk>>} [bulk200]
 * @property {Awaited<ReturnType<typeof idleQueries>>} [query]
 * @property {Awaited<ReturnType<typeof queriesDuringBulk>>} [interference]
 * @property {Awaited<ReturnType<typeof concurrentCallers>>} [callers]
 * @property {ReturnType<typeof memory>} memory after everything else
 * @property {{ bulk1000: number, bulk200: number, query: number } | undefined} meanTokens a text, as the model reads them
 */

/**
 * @param {Turn} turn
 * @returns {Promise<TurnResult>}
 */
async function take({ contender: name, model, threads, figures, sizes }) {
  const entry = CONTENDERS[name];
  if (!entry) throw new Error(`There is no contender ${name}`);
  const long = chunks(1000, sizes.texts1000);
  const short = chunks(200, sizes.texts200);

  const started = performance.now();
  const contender = await entry.start({ model, threads, precision: entry.precision });
  await contender.embed(QUERIES.slice(0, 1));
  const startMs = performance.now() - started;

  // Short texts only: some contenders truncate long ones elsewhere.
  const sample = (await contender.embed(QUERIES.slice(0, 4))).map((vector) => Array.from(vector));
  const limits = { count: sizes.queries, seconds: 3 * sizes.seconds };
  const measures = {
    query: () => idleQueries(contender, limits),
    bulk1000: () => bulk(contender, long, sizes.seconds),
    bulk200: () => bulk(contender, short, sizes.seconds),
    interference: () => queriesDuringBulk(contender, long, limits),
    callers: () => concurrentCallers(contender, short, sizes.callers),
  };
  /** @type {Partial<TurnResult>} */
  const found = {};
  for (const figure of figures) Object.assign(found, { [figure]: await measures[figure]() });

  /** @param {string[]} texts */
  const mean = async (texts) => ((await contender.countTokens?.(texts)) ?? NaN) / texts.length;
  const meanTokens = contender.countTokens && {
    bulk1000: await mean(long),
    bulk200: await mean(short),
    query: await mean(QUERIES),
  };
  const result = { startMs, sample, ...found, memory: memory(contender.processes ?? []), meanTokens };
  await contender.close();
  return result;
}

const result = await take(JSON.parse(process.argv[2] ?? ''));
process.send?.(result, () => {
  process.disconnect();
  process.exit(0); // some contenders keep handles open
});
