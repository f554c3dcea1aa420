// Vectors that are hashes of texts: the same everywhere, and near each other when texts share words.

import { createHash } from 'node:crypto';

/** How much the whole text counts beside its words, so that no two texts have one vector. */
const WHOLE_TEXT = 0.25;

/**
 * Computes a vector of length 1 that depends only on the text. Texts with many words in common are near each other, so
 * searches in tests find what one would expect.
 */
export function hashVector(text: string, dimension: number): Float32Array {
  const vector = new Float64Array(dimension);
  add(vector, `text:${text}`, WHOLE_TEXT);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) add(vector, `word:${word}`, 1);
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(vector, (value) => value / length);
}

/** Adds numbers between -1 and 1 that the name decides. */
function add(vector: Float64Array, name: string, weight: number): void {
  const random = generator(name);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) + weight * (random() * 2 - 1);
}

/** The generator sfc32, seeded with a hash: numbers from 0 to below 1. */
function generator(seed: string): () => number {
  const hash = createHash('sha256').update(seed).digest();
  let [a, b, c, d] = [hash.readInt32LE(0), hash.readInt32LE(4), hash.readInt32LE(8), hash.readInt32LE(12)];
  return () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
}
