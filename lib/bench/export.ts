/** The result of a run as JSON for programs and as CSV for spreadsheets. */

import type { ModelInfo } from '../types.js';
import type { Machine } from './machine.js';
import type { Row } from './measure.js';

/** A run and what it was on. */
export interface BenchRun {
  /** When it began, in ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly model: ModelInfo;
  readonly rows: readonly Row[];
}

/** Everything. */
export function toJson(run: BenchRun): string {
  return `${JSON.stringify(run, null, 2)}\n`;
}

const COLUMNS: readonly (readonly [name: string, value: (row: Row) => string | number])[] = [
  ['kind', (row) => row.kind],
  ['text_size', (row) => row.textSize],
  ['batch_size', (row) => row.batchSize],
  ['callers', (row) => row.callers],
  ['iterations', (row) => row.iterations],
  ['p50_ms', (row) => row.latencyMs.p50.toFixed(3)],
  ['p95_ms', (row) => row.latencyMs.p95.toFixed(3)],
  ['p99_ms', (row) => row.latencyMs.p99.toFixed(3)],
  ['texts_per_second', (row) => row.textsPerSecond.toFixed(2)],
  ['chars_per_second', (row) => row.charsPerSecond.toFixed(0)],
  ['tokens_per_second', (row) => row.tokensPerSecond.toFixed(0)],
  ['success_rate', (row) => row.successRate.toFixed(4)],
  ['speed_up', (row) => row.speedUp?.toFixed(3) ?? ''],
  ['efficiency', (row) => row.efficiency?.toFixed(3) ?? ''],
];

/** One line a row under a line of names. No value has a comma, so none needs quotes. */
export function toCsv({ rows }: BenchRun): string {
  const lines = [COLUMNS.map(([name]) => name), ...rows.map((row) => COLUMNS.map(([, value]) => value(row)))];
  return lines.map((line) => `${line.join(',')}\n`).join('');
}
