/** Comparing, searching and shrinking vectors. Synchronous, on the caller's thread. */

import { unproxied } from './arrays.js';
import { fromNative } from './errors.js';
import { nativeAddon, type NativeAddon } from './native.js';
import type { Int8Vectors, TruncateOptions, VectorMatch } from './types.js';

/**
 * The cosine similarity of two vectors of equal length, from -1 to 1. It is 0 if one is all zeros, and NaN if a number is
 * NaN or infinite. Sums use 32 bits, or 64 bits if 32 are not enough.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if the vectors are empty or differ in length.
 */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  return native((addon) => addon.cosineSimilarity(a, b));
}

/**
 * The dot product of two vectors of equal length; if both have length 1, it equals their cosine. NaN if a number is NaN.
 *
 * Throws as {@link cosineSimilarity} does.
 */
export function dot(a: Float32Array, b: Float32Array): number {
  return native((addon) => addon.dot(a, b));
}

/**
 * The `k` vectors with the highest cosine similarity to `query`, best first, ties in order of index; all if there are
 * fewer. The search is exact: it compares every vector in place, without copies. Vectors with NaN or infinite numbers are
 * skipped.
 *
 * `vectors` is the array that `embedBatch` returns, or one `Float32Array` of consecutive vectors, each as long as `query`,
 * which is faster for large sets. Other threads must not write to them meanwhile.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if lengths differ, `query` is empty or not finite, or `k` is below 1.
 */
export function topK(query: Float32Array, vectors: Float32Array | readonly Float32Array[], k: number): VectorMatch[] {
  return Array.from(
    native((addon) => addon.topK(query, unproxied(vectors), k)),
    ({ index, score }) => ({ index, score }),
  );
}

/**
 * Compresses vectors to a quarter of the memory as `round(x / scale)`, where a vector's `scale` is its largest `|x|`
 * divided by 127. `value * scale` differs from `x` by at most `scale / 2`. Scales do not affect cosine similarity: a
 * database that compares by cosine needs `vectors` alone. Zero vectors stay zero, with a scale of 0. docs/vectors.md shows
 * the loss on real texts.
 *
 * This is symmetric quantisation as in Jacob et al., Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference (2018), with one scale per vector.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if lengths differ or a number is not finite.
 */
export function quantizeInt8(vectors: readonly Float32Array[]): Int8Vectors {
  const { data, scales } = native((addon) => addon.quantizeInt8(unproxied(vectors)));
  return {
    vectors: rows(Int8Array, data, vectors.length),
    scales: new Float32Array(scales.buffer, scales.byteOffset, scales.length),
  };
}

/**
 * Compresses vectors to a thirty-second of the memory: one bit per number, 1 if it is above zero. Compare them by Hamming
 * distance. Eight dimensions share a byte, the first in the highest bit, as in `ubinary` of sentence-transformers; unused
 * bits are 0. The method is from Charikar, Similarity Estimation Techniques from Rounding Algorithms (2002), with the
 * coordinate hyperplanes instead of random ones.
 *
 * The loss on real texts is large, see docs/vectors.md: retrieve many candidates this way and re-rank them by their full
 * vectors.
 *
 * Throws as {@link quantizeInt8} does.
 */
export function binarize(vectors: readonly Float32Array[]): Uint8Array[] {
  return rows(
    Uint8Array,
    native((addon) => addon.binarize(unproxied(vectors))),
    vectors.length,
  );
}

/**
 * Cuts vectors to their first `dimensions` numbers and scales them to length 1. For models trained so that these carry the
 * most information (Kusupati et al., Matryoshka Representation Learning, 2022). Zero vectors stay zero. Cut vectors are a
 * vector space of their own.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if the model was not trained for that length (unless `force` is true), if lengths
 * differ, or if a number is not finite.
 */
export function truncateDimensions(
  vectors: readonly Float32Array[],
  dimensions: number,
  options?: TruncateOptions,
): Float32Array[] {
  return rows(
    Float32Array,
    native((addon) => addon.truncateDimensions(unproxied(vectors), dimensions, options)),
    vectors.length,
  );
}

/** Calls the addon; its errors become errors of this side. */
function native<T>(call: (addon: NativeAddon) => T): T {
  try {
    return call(nativeAddon());
  } catch (error) {
    throw fromNative(error);
  }
}

type Numbers = Float32Array | Int8Array | Uint8Array;

/** The rows of an answer as views over its one buffer. */
function rows<T extends Numbers>(
  kind: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T,
  { buffer, byteOffset, byteLength, length }: T,
  count: number,
): T[] {
  return Array.from(
    { length: count },
    (_, row) => new kind(buffer, byteOffset + (row * byteLength) / count, length / count),
  );
}
