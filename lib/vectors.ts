/** What is done with finished vectors: comparing, searching, and making them smaller. Synchronous, on the caller's thread. */

import { fromNative } from './errors.js';
import { nativeAddon, type NativeAddon } from './native.js';
import type { Int8Vectors, TruncateOptions, VectorMatch } from './types.js';

/**
 * The cosine of the angle between two vectors of one length, from -1 to 1: 0 if one is all zeros, which has no direction, and NaN
 * if a number is NaN or infinite. Sums are made in 32 bits and made again in 64 where 32 cannot hold them.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for empty vectors and for different lengths.
 */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  return native((addon) => addon.cosineSimilarity(a, b));
}

/**
 * The dot product of two vectors of one length: of vectors of length 1 their cosine. NaN if a number is NaN.
 *
 * Throws as {@link cosineSimilarity} does.
 */
export function dot(a: Float32Array, b: Float32Array): number {
  return native((addon) => addon.dot(a, b));
}

/**
 * The `k` vectors with the highest cosine to `query`, best first, of equal ones the first; all of them if there are fewer. Every
 * vector is looked at, where it lies: nothing is copied, approximated or kept. Vectors with NaN or an infinite number are left out.
 *
 * `vectors` is the list that `embedBatch` gives, or one `Float32Array` with a vector after the other, each as long as `query`:
 * a large one is faster that way. Nobody may write to them meanwhile, which only other threads could.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for vectors of another length, a `query` that is empty or not finite, and a `k` below 1.
 */
export function topK(query: Float32Array, vectors: Float32Array | readonly Float32Array[], k: number): VectorMatch[] {
  return Array.from(
    native((addon) => addon.topK(query, vectors, k)),
    ({ index, score }) => ({ index, score }),
  );
}

/**
 * Vectors in a quarter of the memory: `round(x / scale)`, where a vector's `scale` is its largest `|x|` divided by 127. That is
 * the symmetric case of the scheme in Jacob et al., Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference (2018), a scale a vector. `value * scale` is off from `x` by `scale / 2` at most. The cosine
 * of two vectors does not depend on their scales: a database that compares by cosine needs `vectors` alone.
 *
 * docs/vectors.md has what is lost on real texts. Vectors of zeros stay zeros, with a scale of 0.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` for vectors of different lengths and for numbers that are not finite.
 */
export function quantizeInt8(vectors: readonly Float32Array[]): Int8Vectors {
  const { data, scales } = native((addon) => addon.quantizeInt8(vectors));
  return {
    vectors: rows(Int8Array, data, vectors.length),
    scales: new Float32Array(scales.buffer, scales.byteOffset, scales.length),
  };
}

/**
 * Vectors in a thirty-second of the memory: one bit a number, 1 where it is above zero, to be compared by Hamming distance. Eight
 * dimensions a byte, the first in the highest bit, as `ubinary` of sentence-transformers has them; bits that are left over are 0.
 * The source is Charikar, Similarity Estimation Techniques from Rounding Algorithms (2002), with the dimensions for planes.
 *
 * docs/vectors.md has what is lost on real texts, which is much: find many this way, and sort them anew by their whole vectors.
 *
 * Throws as {@link quantizeInt8} does.
 */
export function binarize(vectors: readonly Float32Array[]): Uint8Array[] {
  return rows(
    Uint8Array,
    native((addon) => addon.binarize(vectors)),
    vectors.length,
  );
}

/**
 * The first `dimensions` numbers of each vector, scaled to length 1: for models that were trained so that these say most (Kusupati
 * et al., Matryoshka Representation Learning, 2022). Vectors of zeros stay zeros. What is cut is another vector space than what is not.
 *
 * Throws `ERR_EMBED_INVALID_ARGUMENT` if the model was not trained for that length, unless `force` is true; for vectors of
 * different lengths, and for numbers that are not finite.
 */
export function truncateDimensions(
  vectors: readonly Float32Array[],
  dimensions: number,
  options?: TruncateOptions,
): Float32Array[] {
  return rows(
    Float32Array,
    native((addon) => addon.truncateDimensions(vectors, dimensions, options)),
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
