/** Runs scenarios on a loaded model and says how long calls took, how many failed and what that makes a second. */

import { createHistogram, performance } from 'node:perf_hooks';
import type { Embedder } from '../embedder.js';
import { scenarioName, type Scenario } from './scenarios.js';
import { prose } from './texts.js';

/** What a scenario showed. */
export interface Row extends Scenario {
  /** How long one call took, in milliseconds; 0 if all failed. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  readonly textsPerSecond: number;
  readonly charsPerSecond: number;
  /** Tokens that the model read: what it cuts off does not count. */
  readonly tokensPerSecond: number;
  /** Share of the calls that were answered, from 0 to 1. */
  readonly successRate: number;
  /** Throughput in relation to one caller with the same texts; `null` if all calls of that one failed. */
  readonly speedUp: number | null;
  /** `speedUp` divided by the number of callers. */
  readonly efficiency: number | null;
  /** What the calls that failed said, each message once. */
  readonly failures: readonly string[];
}

/** The part of an embedder that is measured. */
export type Measured = Pick<Embedder, 'embedBatch' | 'countTokens' | 'info'>;

const NS_PER_MS = 1e6;

/** Runs the scenarios one after the other; `onDone` is told each that ends. */
export async function measure(
  embedder: Measured,
  scenarios: readonly Scenario[],
  signal: AbortSignal,
  onDone: (scenario: string) => void = () => undefined,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scenario of scenarios) {
    const figures = await runScenario(embedder, scenario, signal);
    const alone =
      rows.find(
        (row) =>
          row.kind === scenario.kind &&
          row.callers === 1 &&
          row.textSize === scenario.textSize &&
          row.batchSize === scenario.batchSize,
      ) ?? figures;
    const speedUp = alone.textsPerSecond > 0 ? figures.textsPerSecond / alone.textsPerSecond : null;
    rows.push({ ...scenario, ...figures, speedUp, efficiency: speedUp === null ? null : speedUp / scenario.callers });
    onDone(scenarioName(scenario));
  }
  return rows;
}

async function runScenario(
  embedder: Measured,
  { textSize, batchSize, callers, iterations, warmUps }: Scenario,
  signal: AbortSignal,
): Promise<Omit<Row, keyof Scenario | 'speedUp' | 'efficiency'>> {
  // Every caller has its own texts.
  const all = prose(textSize, batchSize * callers);
  const calls = Array.from({ length: callers }, (_, at) => all.slice(at * batchSize, (at + 1) * batchSize));
  const latency = createHistogram({ figures: 3 });
  const failures = new Set<string>();
  let answered = 0;

  const call = async (texts: readonly string[], measured: boolean): Promise<void> => {
    const started = performance.now();
    try {
      const vectors = await embedder.embedBatch(texts, { signal });
      if (vectors.length !== texts.length) {
        throw new Error(`Expected ${String(texts.length)} vectors but received ${String(vectors.length)}`);
      }
      if (!measured) return;
      answered += 1;
      latency.record(Math.max(1, Math.round((performance.now() - started) * NS_PER_MS)));
    } catch (error) {
      if (signal.aborted) throw error;
      // A call that fails in the warm-up fails again when it counts.
      if (measured) failures.add(error instanceof Error ? error.message : String(error));
    }
  };

  for (let at = 0; at < warmUps; at += 1) await Promise.all(calls.map((texts) => call(texts, false)));
  const started = performance.now();
  for (let at = 0; at < iterations; at += 1) await Promise.all(calls.map((texts) => call(texts, true)));
  const seconds = (performance.now() - started) / 1000;

  const textsPerSecond = (answered * batchSize) / seconds;
  const tokens = answered > 0 ? await tokensRead(embedder, all) : 0;
  const percentile = (share: number): number => (answered > 0 ? latency.percentile(share) / NS_PER_MS : 0);
  return {
    latencyMs: { p50: percentile(50), p95: percentile(95), p99: percentile(99) },
    textsPerSecond,
    charsPerSecond: textsPerSecond * textSize,
    tokensPerSecond: (textsPerSecond * tokens) / all.length,
    successRate: answered / (iterations * callers),
    failures: [...failures],
  };
}

async function tokensRead(embedder: Measured, texts: readonly string[]): Promise<number> {
  const counts = await embedder.countTokens(texts);
  return counts.reduce((sum, count) => sum + Math.min(count, embedder.info.maxTokens), 0);
}
