/** The result of a run as a table for a terminal. */

import Table from 'cli-table3';
import type { BenchRun } from './export.js';
import type { Row } from './measure.js';
import { scenarioName } from './scenarios.js';

/** Two tables, one text size and batch size, one callers, and what failed. */
export function resultTable({ model, machine, rows }: BenchRun): string {
  const { processor, processors, platform } = machine;
  return [
    `${model.model}, ${model.precision}, ${String(model.threads)} threads, up to ${String(model.maxTokens)} tokens`,
    `${processor}, ${String(processors)} processors, ${platform}`,
    table('One caller', ['characters', 'texts'], rows, 'serial', () => []),
    table(
      'Concurrent callers',
      ['characters', 'texts', 'callers', 'speed-up', 'efficiency'],
      rows,
      'concurrent',
      (row) => [
        String(row.callers),
        row.speedUp?.toFixed(2) ?? '-',
        row.efficiency === null ? '-' : percent(row.efficiency),
      ],
    ),
    failures(rows),
  ]
    .filter(Boolean)
    .join('\n');
}

function table(
  title: string,
  first: string[],
  rows: readonly Row[],
  kind: Row['kind'],
  more: (row: Row) => string[],
): string {
  const shown = rows.filter((row) => row.kind === kind);
  if (shown.length === 0) return '';
  const head = [...first, 'p50 ms', 'p95 ms', 'p99 ms', 'texts/s', 'chars/s', 'tokens/s', 'success'];
  const drawn = new Table({ head, colAligns: head.map(() => 'right'), style: { head: [], border: [], compact: true } });
  for (const row of shown) {
    const { p50, p95, p99 } = row.latencyMs;
    drawn.push([
      whole(row.textSize),
      whole(row.batchSize),
      ...more(row),
      ...[p50, p95, p99].map((value) => value.toFixed(1)),
      row.textsPerSecond.toFixed(1),
      whole(row.charsPerSecond),
      whole(row.tokensPerSecond),
      percent(row.successRate),
    ]);
  }
  return `\n${title}\n${drawn.toString()}`;
}

function failures(rows: readonly Row[]): string {
  const failed = rows.filter((row) => row.failures.length > 0);
  if (failed.length === 0) return '';
  const lines = failed.flatMap((row) => row.failures.map((message) => `  ${scenarioName(row)}: ${message}`));
  return `\nFailed calls:\n${lines.join('\n')}`;
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const percent = (share: number): string => `${(100 * share).toFixed(share === 1 ? 0 : 1)}%`;
