/** `replay`: batches that failed once, tried again in every way. */

import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { readFailedBatch } from '../bench/failed-batch.js';
import { callsOf, tryBatch, type Attempt, type Tried } from '../bench/replay.js';
import { say, text, UsageError, type Command } from './command.js';
import { loadOptions, MODEL_OPTIONS, modelDetails, withModel } from './model-options.js';

/** What became of one file. */
interface FileResult {
  readonly file: string;
  readonly texts: number;
  readonly characters: number;
  readonly attempts: readonly Attempt[];
  /** Empty if everything was answered. */
  readonly failures: readonly string[];
}

export const replay: Command = {
  name: 'replay',
  usage: 'FILE... [OPTIONS]',
  summary: 'Retry failed batches: each text alone, whole, in pairs, in halves, and in batches of 4, 8 and 16',
  details: [
    'FILE  Failed batch: a JSON object with an array "texts"',
    '--export-json FILE  Write the result of each file as JSON',
    ...modelDetails(),
  ],
  examples: ['failed-batch.json', '*.json --model ./models/all-MiniLM-L6-v2 --export-json outcome.json'],
  options: { 'export-json': { type: 'string' }, ...MODEL_OPTIONS },
  operands: Infinity,
  async run(input) {
    const { operands: files, signal } = input;
    if (files.length === 0) throw new UsageError('Missing FILE: at least one failed batch');
    await withModel(loadOptions(input), async (embedder) => {
      const results: FileResult[] = [];
      for (const file of files) results.push(await replayFile(embedder, file, signal));
      say(report(results));
      const path = text(input, 'export-json');
      if (path !== undefined) {
        writeFileSync(path, `${JSON.stringify({ model: embedder.info, files: results }, null, 2)}\n`);
      }
      if (results.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
    });
  },
};

async function replayFile(embedder: Tried, file: string, signal: AbortSignal): Promise<FileResult> {
  let texts: readonly string[];
  try {
    ({ texts } = readFailedBatch(file));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { file, texts: 0, characters: 0, attempts: [], failures: [`cannot be read: ${reason}`] };
  }
  const bar = new SingleBar({ format: `${basename(file)} {bar} {value}/{total}`, clearOnComplete: true });
  bar.start(callsOf(texts.length), 0);
  const attempts = await tryBatch(embedder, texts, signal, () => {
    bar.increment();
  }).finally(() => {
    bar.stop();
  });
  return {
    file,
    texts: texts.length,
    characters: texts.reduce((sum, text) => sum + text.length, 0),
    attempts,
    failures: attempts.flatMap(({ failures }) => failures),
  };
}

/** A line a file, what failed, and the total. */
function report(results: readonly FileResult[]): string {
  const strategies =
    results.find(({ attempts }) => attempts.length > 0)?.attempts.map(({ strategy }) => strategy) ?? [];
  const head = ['file', 'texts', 'characters', ...strategies, ''];
  const table = new Table({
    head,
    colAligns: head.map((_, at) => (at === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const { file, texts, characters, attempts, failures } of results) {
    const cells = strategies.map((strategy) => {
      const attempt = attempts.find((it) => it.strategy === strategy);
      if (!attempt) return '-';
      return `${String(attempt.calls - attempt.failures.length)}/${String(attempt.calls)}`;
    });
    table.push([
      basename(file),
      texts.toLocaleString('en-US'),
      characters.toLocaleString('en-US'),
      ...cells,
      failures.length === 0 ? 'ok' : 'FAILED',
    ]);
  }
  const failed = results.filter(({ failures }) => failures.length > 0);
  const details = failed.map(({ file, failures }) => `${file}\n${failures.map((line) => `  ${line}`).join('\n')}`);
  return [table.toString(), ...details, total(results, failed.length)].join('\n');
}

function total(results: readonly FileResult[], failed: number): string {
  const sum = (of: (result: FileResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const calls = sum(({ attempts }) => attempts.reduce((count, attempt) => count + attempt.calls, 0));
  const seconds = sum(({ attempts }) => attempts.reduce((ms, attempt) => ms + attempt.milliseconds, 0)) / 1000;
  return (
    `Total: ${String(results.length - failed)} of ${String(results.length)} files passed; ` +
    `${sum(({ texts }) => texts).toLocaleString('en-US')} texts, ` +
    `${sum(({ characters }) => characters).toLocaleString('en-US')} characters, ` +
    `${calls.toLocaleString('en-US')} calls in ${seconds.toFixed(1)} s`
  );
}
