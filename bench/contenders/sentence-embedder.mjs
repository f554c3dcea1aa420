// This project, through its public interface.

import { join } from 'node:path';
import { BENCH_CACHE } from '../where.mjs';

/** @type {import('./index.mjs').Entry['start']} */
export async function start({ model, threads, precision }) {
  const { Embedder } = await import('sentence-embedder');
  const embedder = await Embedder.load({ model, threads, precision, cacheDir: join(BENCH_CACHE, 'models') });
  return {
    embed: (texts) => embedder.embedBatch(texts),
    embedQuery: async (text) => [await embedder.embedOne(text)],
    countTokens: async (texts) => {
      const counts = await embedder.countTokens(texts);
      return counts.reduce((sum, count) => sum + Math.min(count, embedder.info.maxTokens), 0);
    },
    close: () => embedder.close(),
  };
}
