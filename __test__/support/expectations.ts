// What tests say again and again: that a promise rejects with a code, and that vectors are the expected ones.

import type { EmbedError, EmbedErrorCode } from 'sentence-embedder';

/** The error that `promise` rejects with, which must be an `Error` with that code. */
export async function rejection(promise: Promise<unknown>, code: EmbedErrorCode): Promise<EmbedError> {
  const outcome = await promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(Error);
  const error = outcome as EmbedError;
  expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.any(String) as string });
  return error;
}

/** Expects the same number of vectors, each within the tolerance of its reference. */
export function expectVectors(
  actual: readonly Float32Array[],
  expected: readonly (readonly number[])[],
  tolerance: { max_abs: number; cosine: number },
): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((vector, row) => {
    const wanted = expected[row] ?? [];
    expect(vector).toHaveLength(wanted.length);
    const difference = vector.reduce((most, value, i) => Math.max(most, Math.abs(value - (wanted[i] ?? NaN))), 0);
    const worst = { row, difference, cosine: cosine(vector, wanted) };
    if (!(difference <= tolerance.max_abs) || !(worst.cosine >= tolerance.cosine)) {
      expect(worst).toEqual({ row, difference: `at most ${String(tolerance.max_abs)}`, cosine: tolerance.cosine });
    }
  });
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
    Array.from(x).reduce((sum, value, i) => sum + value * (y[i] ?? NaN), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
