/** The charts of a report as data: throughput by batch, latency percentiles, and how callers scale. */

import type { Row } from './measure.js';

/** Lines over one axis. */
export interface Chart {
  readonly title: string;
  readonly x: { readonly label: string; readonly values: readonly number[] };
  readonly y: { readonly label: string };
  /** One value for each of `x.values`, null where there is none. */
  readonly lines: readonly { readonly label: string; readonly values: readonly (number | null)[]; dashed?: boolean }[];
}

/** Every chart that the rows have figures for. */
export function charts(rows: readonly Row[]): Chart[] {
  const serial = rows.filter(({ kind }) => kind === 'serial');
  const concurrent = rows.filter(({ kind }) => kind === 'concurrent');
  const found: Chart[] = [];
  if (serial.length > 0) {
    found.push(throughputByBatch(serial));
    for (const size of distinct(serial, (row) => row.textSize)) {
      found.push(latencyByBatch(serial.filter((row) => row.textSize === size)));
    }
  }
  if (concurrent.length > 0) found.push(scaling(concurrent));
  return found;
}

function throughputByBatch(rows: readonly Row[]): Chart {
  const batches = axis(rows, (row) => row.batchSize);
  return {
    title: 'Throughput by batch size',
    x: { label: 'texts per call', values: batches },
    y: { label: 'texts per second' },
    lines: distinct(rows, (row) => row.textSize).map((size) => ({
      label: `${String(size)} characters`,
      values: batches.map((batch) => {
        const row = rows.find(({ textSize, batchSize }) => textSize === size && batchSize === batch);
        return row?.textsPerSecond ?? null;
      }),
    })),
  };
}

function latencyByBatch(rows: readonly Row[]): Chart {
  const batches = axis(rows, (row) => row.batchSize);
  return {
    title: `Latency per call, ${String(rows[0]?.textSize ?? 0)} characters per text`,
    x: { label: 'texts per call', values: batches },
    y: { label: 'milliseconds' },
    lines: (['p50', 'p95', 'p99'] as const).map((percentile) => ({
      label: percentile,
      values: batches.map((batch) => rows.find(({ batchSize }) => batchSize === batch)?.latencyMs[percentile] ?? null),
    })),
  };
}

function scaling(rows: readonly Row[]): Chart {
  const callers = axis(rows, (row) => row.callers);
  const pairs = distinct(rows, (row) => `${String(row.batchSize)} texts of ${String(row.textSize)} characters`);
  return {
    title: 'Throughput by concurrent callers',
    x: { label: 'callers', values: callers },
    y: { label: 'throughput relative to one caller' },
    lines: [
      ...pairs.map((pair) => ({
        label: pair,
        values: callers.map((count) => {
          const row = rows.find(
            (it) =>
              it.callers === count && `${String(it.batchSize)} texts of ${String(it.textSize)} characters` === pair,
          );
          return row?.speedUp ?? null;
        }),
      })),
      // One caller already uses every thread, so this is the line to keep, not one to climb from.
      { label: 'no loss', values: callers.map(() => 1), dashed: true },
    ],
  };
}

function distinct<T>(rows: readonly Row[], of: (row: Row) => T): T[] {
  return [...new Set(rows.map(of))];
}

/** In ascending order, which the plot library takes for granted of an axis. */
function axis(rows: readonly Row[], of: (row: Row) => number): number[] {
  return distinct(rows, of).sort((a, b) => a - b);
}
