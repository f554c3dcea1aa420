// Compares the contenders by turns: npm run bench:compare -- --model FOLDER [--only fp32,sidecar] [--rounds 3]
// Every round gives each contender one turn in a fresh process, in the same order, with the same texts. Writes
// bench/results/latest.json and prints the tables.

import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cannotLoad, CONTENDERS } from './contenders/index.mjs';
import { machine, peak } from './machine.mjs';
import { summarise } from './summary.mjs';
import { markdown } from './tables.mjs';
import { BENCH_CACHE } from './where.mjs';

const TURN_FIGURES = /** @type {const} */ (['bulk1000', 'bulk200', 'query', 'interference', 'callers']);
const FIGURES = /** @type {const} */ ([...TURN_FIGURES, 'threads', 'peak']);
// A contender that hangs is ended; the slowest take a quarter of this.
const TURN_LIMIT_MS = 20 * 60_000;
const HELP = `npm run bench:compare -- --model FOLDER [options]
  --model FOLDER     a sentence-transformers folder with onnx/model.onnx and model.safetensors
  --only NAMES       contenders, separated by commas: ${Object.keys(CONTENDERS).join(', ')}
  --figures NAMES    figures, separated by commas: ${FIGURES.join(', ')}
  --rounds N         turns of each contender; default 3
  --threads N        threads of each contender; default: the processors of this process
  --curve LIST       thread counts of the thread curve; default: 1 and --threads
  --seconds N        least time of a bulk figure; default 8
  --quick            one round with less of everything: to see that it works, not to quote
  --out FILE         default: bench/results/latest.json`;

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    only: { type: 'string' },
    figures: { type: 'string', default: FIGURES.join(',') },
    rounds: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
    curve: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: fileURLToPath(new URL('results/latest.json', import.meta.url)) },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || !options.model) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}

const { quick } = options;
const model = resolve(options.model);
const rounds = Number(options.rounds ?? (quick ? 1 : 3));
const threads = Number(options.threads);
const curve = (options.curve ?? `1,${String(threads)}`).split(',').map(Number);
const sizes = {
  seconds: Number(options.seconds ?? (quick ? 2 : 8)),
  texts1000: quick ? 32 : 64,
  texts200: quick ? 64 : 128,
  queries: quick ? 20 : 60,
  callers: quick ? 10 : 50,
};
const figures = /** @type {(typeof FIGURES)[number][]} */ (chosen(options.figures, FIGURES, 'figure'));
const names = chosen(options.only ?? Object.keys(CONTENDERS).join(','), Object.keys(CONTENDERS), 'contender');

/** @type {Record<string, string>} */
const absent = {};
for (const [name, entry] of Object.entries(CONTENDERS)) {
  const reason = names.includes(name) ? cannotLoad(entry, model) : undefined;
  if (reason) absent[name] = reason;
}
/** @type {import('./summary.mjs').Run} */
const run = {
  date: new Date().toISOString(),
  machine: machine(),
  model: JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')),
  settings: { rounds, threads, curve, quick, ...sizes },
  absent,
  firstStarts: {},
  peaks: [],
  turns: [],
};

const participants = names.filter((name) => !(name in absent));
// What is done once for a model and a machine is no part of any round, but is told: so it is done again in each run.
rmSync(join(BENCH_CACHE, 'models'), { recursive: true, force: true });
for (const name of participants.filter((name) => CONTENDERS[name]?.own)) {
  const result = await attempt(name, [], threads, 'first start');
  if (result) run.firstStarts[name] = result.startMs;
}
for (let round = 1; round <= rounds; round += 1) {
  if (figures.includes('peak')) {
    for (const count of new Set([1, threads])) {
      console.error(`round ${String(round)}: peak of the machine, ${String(count)} threads`);
      run.peaks.push({ round, ...peak(count, run.model) });
    }
  }
  for (const name of participants) {
    const entry = CONTENDERS[name];
    const wanted = TURN_FIGURES.filter((figure) => figures.includes(figure) && measurable(figure, entry));
    const result = await attempt(name, wanted, threads, `round ${String(round)}`);
    if (result) run.turns.push({ round, contender: name, threads, ...result });
    if (!figures.includes('threads') || !entry?.own) continue;
    for (const count of curve.filter((count) => count !== threads)) {
      const figure = await attempt(name, ['bulk1000', 'bulk200', 'query'], count, `round ${String(round)}`);
      if (figure) run.turns.push({ round, contender: name, threads: count, ...figure });
    }
  }
}

const result = { ...run, summary: summarise(run) };
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, `${JSON.stringify(result, withoutSamples, 1)}\n`);
console.log(markdown(result));
console.error(`Written to ${options.out}`);

/**
 * @param {import('./turn.mjs').FigureName} figure
 * @param {import('./contenders/index.mjs').Entry | undefined} entry
 */
function measurable(figure, entry) {
  if (figure === 'interference') return entry?.inNode === true;
  // What 50 callers cost is promised for this package; the slowest contender would take a quarter of an hour to show it.
  if (figure === 'callers') return entry?.own === true;
  return true;
}

/**
 * One turn; a contender that fails is left out with what it said, the others go on.
 * @param {string} name
 * @param {import('./turn.mjs').FigureName[]} wanted
 * @param {number} count threads
 * @param {string} when
 */
async function attempt(name, wanted, count, when) {
  if (name in absent) return undefined;
  console.error(`${when}: ${name}, ${String(count)} threads`);
  try {
    return await takeTurn({ contender: name, model, threads: count, figures: wanted, sizes });
  } catch (error) {
    absent[name] = error instanceof Error ? error.message : String(error);
    console.error(`${name} failed: ${absent[name]}`);
    return undefined;
  }
}

/**
 * @param {import('./turn.mjs').Turn} turn
 * @returns {Promise<import('./turn.mjs').TurnResult>}
 */
function takeTurn(turn) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('turn.mjs', import.meta.url), [JSON.stringify(turn)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: TURN_LIMIT_MS,
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => (said += text));
    child.once('message', (message) => {
      resolve(/** @type {import('./turn.mjs').TurnResult} */ (message));
    });
    child.once('exit', (code, signal) => {
      const reason = /** @type {string | undefined} */ (/^\w*Error.*$/m.exec(said)?.[0]);
      reject(new Error(reason ?? `The turn ended with ${String(code ?? signal)}: ${said.trim()}`));
    });
    child.once('error', reject);
  });
}

/**
 * @param {string} list
 * @param {readonly string[]} known
 * @param {string} kind
 */
function chosen(list, known, kind) {
  const found = list.split(',');
  for (const name of found) {
    if (!known.includes(name)) throw new RangeError(`There is no ${kind} ${name}, only ${known.join(', ')}`);
  }
  return found;
}

/**
 * Vectors are compared, not kept.
 * @param {string} key
 * @param {unknown} value
 */
function withoutSamples(key, value) {
  return key === 'sample' ? undefined : value;
}
