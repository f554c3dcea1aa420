/** Tries a batch that failed once in every way that tells a bad text from a bad batch. */

import { performance } from 'node:perf_hooks';
import type { Embedder } from '../embedder.js';

/** One way to try a batch. */
export interface Attempt {
  readonly strategy: string;
  /** Calls that it took. */
  readonly calls: number;
  readonly milliseconds: number;
  /** One line a call that failed: which texts, and why. */
  readonly failures: readonly string[];
}

/** The part of an embedder that is tried. */
export type Tried = Pick<Embedder, 'embedBatch' | 'info'>;

type Span = readonly [start: number, end: number];

// A text's vector may not depend on its batch mates by more than rounding can explain.
const LEAST_COSINE = 0.9999;

/** The ways, each as the spans of the batch that its calls take. */
const STRATEGIES: readonly (readonly [name: string, spans: (count: number) => Span[]])[] = [
  // First, because the others are compared with it.
  ['each alone', (count) => inSpansOf(1, count)],
  ['whole', (count) => [[0, count]]],
  ['pairs', (count) => Array.from({ length: Math.max(0, count - 1) }, (_, at): Span => [at, at + 2])],
  ['halves', (count) => inSpansOf(Math.ceil(count / 2), count)],
  ['batches of 4', (count) => inSpansOf(4, count)],
  ['batches of 8', (count) => inSpansOf(8, count)],
  ['batches of 16', (count) => inSpansOf(16, count)],
];

/** How many calls {@link tryBatch} makes for a batch. */
export function callsOf(count: number): number {
  return STRATEGIES.reduce((sum, [, spans]) => sum + spans(count).length, 0);
}

/** Tries the texts in every way; `onCall` is told when a call ends. Throws only if the signal is aborted. */
export async function tryBatch(
  embedder: Tried,
  texts: readonly string[],
  signal: AbortSignal,
  onCall: () => void = () => undefined,
): Promise<Attempt[]> {
  const alone = new Map<number, Float32Array>();
  const attempts: Attempt[] = [];
  for (const [strategy, spans] of STRATEGIES) {
    const failures: string[] = [];
    const calls = spans(texts.length);
    const started = performance.now();
    for (const [start, end] of calls) {
      try {
        const vectors = await embedder.embedBatch(texts.slice(start, end), { signal });
        check(vectors, end - start, embedder.info.dimension);
        vectors.forEach((vector, at) => {
          const reference = alone.get(start + at);
          if (reference) expectSimilar(vector, reference, start + at);
          else if (end - start === 1) alone.set(start, vector);
        });
      } catch (error) {
        if (signal.aborted) throw error;
        const which = end - start === 1 ? `text ${String(start)}` : `texts ${String(start)} to ${String(end - 1)}`;
        failures.push(`${strategy}, ${which}: ${error instanceof Error ? error.message : String(error)}`);
      }
      onCall();
    }
    attempts.push({ strategy, calls: calls.length, milliseconds: performance.now() - started, failures });
  }
  return attempts;
}

function inSpansOf(size: number, count: number): Span[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, at): Span => {
    return [at * size, Math.min(count, (at + 1) * size)];
  });
}

function check(vectors: readonly Float32Array[], count: number, dimension: number): void {
  if (vectors.length !== count) {
    throw new Error(`Expected ${String(count)} vectors but received ${String(vectors.length)}`);
  }
  for (const { length } of vectors) {
    if (length !== dimension) {
      throw new Error(`Expected vectors of ${String(dimension)} numbers but received one of ${String(length)}`);
    }
  }
  for (const vector of vectors) {
    if (!vector.every(Number.isFinite)) throw new Error('Expected finite numbers but a vector has others');
  }
}

function expectSimilar(vector: Float32Array, reference: Float32Array, index: number): void {
  const similarity = cosine(vector, reference);
  if (!(similarity >= LEAST_COSINE)) {
    throw new Error(
      `The vector of text ${String(index)} differs from the one it has alone: cosine ${similarity.toFixed(6)}`,
    );
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, ofA, ofB] = [0, 0, 0];
  a.forEach((value, at) => {
    const other = b[at] ?? NaN;
    dot += value * other;
    ofA += value * value;
    ofB += other * other;
  });
  return ofA === 0 && ofB === 0 ? 1 : dot / Math.sqrt(ofA * ofB);
}
