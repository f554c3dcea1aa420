/** `bench`: how fast a model is here, by text size, batch size and number of callers. */

import { closeSync, lstatSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { toCsv, toJson, type BenchRun } from '../bench/export.js';
import { machine } from '../bench/machine.js';
import { measure } from '../bench/measure.js';
import { htmlReport } from '../bench/report.js';
import { MOST, planScenarios, QUICK, THOROUGH } from '../bench/scenarios.js';
import { resultTable } from '../bench/table.js';
import { say, text, type Command, type Input } from './command.js';
import { loadOptions, MODEL_OPTIONS, modelDetails, withModel } from './model-options.js';
import { wholeNumber, wholeNumbers } from './numbers.js';

/** The exit status if the run came to its end but calls failed. */
const CALLS_FAILED = 3;

export const bench: Command = {
  name: 'bench',
  usage: '[OPTIONS]',
  summary: 'Measure how fast a model embeds on this machine',
  details: [
    '--quick  Fewer sizes, batches, callers and iterations, for a first impression',
    `--sizes LIST  Characters per text, up to ${String(MOST.textSize)} (default: ${THOROUGH.sizes.join(',')})`,
    `--batches LIST  Texts per call, up to ${String(MOST.batchSize)} (default: ${THOROUGH.batches.join(',')})`,
    `--max-concurrency N  Most concurrent callers, up to ${String(MOST.maxConcurrency)} (default: ${String(THOROUGH.maxConcurrency)})`,
    `--iterations N  Measured calls per caller, up to ${String(MOST.iterations)} (default: ${String(THOROUGH.iterations)})`,
    '--export-csv FILE  Write the rows as CSV',
    '--export-json FILE  Write the rows, the machine and the model as JSON',
    '--report FILE  Write a self-contained HTML page with charts',
    ...modelDetails(),
  ],
  examples: ['--quick', '--model ./models/all-MiniLM-L6-v2 --precision int8 --report report.html'],
  statuses: [`${String(CALLS_FAILED)}  finished, but some calls failed`],
  options: {
    quick: { type: 'boolean' },
    sizes: { type: 'string' },
    batches: { type: 'string' },
    'max-concurrency': { type: 'string' },
    iterations: { type: 'string' },
    'export-csv': { type: 'string' },
    'export-json': { type: 'string' },
    report: { type: 'string' },
    ...MODEL_OPTIONS,
  },
  operands: 0,
  async run(input) {
    const scenarios = planScenarios(input.options['quick'] === true ? QUICK : THOROUGH, {
      sizes: wholeNumbers(input, 'sizes', MOST.textSize),
      batches: wholeNumbers(input, 'batches', MOST.batchSize),
      maxConcurrency: wholeNumber(input, 'max-concurrency', MOST.maxConcurrency),
      iterations: wholeNumber(input, 'iterations', MOST.iterations),
    });
    const outputs = outputsOf(input);
    // A run takes long: what cannot be written is told before it.
    for (const { path } of outputs) expectWritable(path);

    await withModel(loadOptions(input), async (embedder) => {
      const date = new Date().toISOString();
      // The bar keeps to terminals: a log gets the table alone.
      const bar = new SingleBar({ format: '{bar} {value}/{total} {scenario}', clearOnComplete: true });
      bar.start(scenarios.length, 0, { scenario: '' });
      const rows = await measure(embedder, scenarios, input.signal, (scenario) => {
        bar.increment(1, { scenario });
      }).finally(() => {
        bar.stop();
      });
      const run: BenchRun = { date, machine: machine(), model: embedder.info, rows };
      say(resultTable(run));
      for (const { path, make } of outputs) writeFileSync(path, make(run));
      if (rows.some(({ failures }) => failures.length > 0)) process.exitCode = CALLS_FAILED;
    });
  },
};

/** Throws if a file cannot be written, and leaves none that was not there. */
function expectWritable(path: string): void {
  // A link that leads nowhere yet is the user's, too.
  const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  closeSync(openSync(path, 'a'));
  if (!isThere) rmSync(path);
}

function outputsOf(input: Input): { path: string; make: (run: BenchRun) => string }[] {
  const makers = { 'export-csv': toCsv, 'export-json': toJson, report: htmlReport };
  return Object.entries(makers).flatMap(([name, make]) => {
    const path = text(input, name);
    return path === undefined ? [] : [{ path, make }];
  });
}
