/** The kind `'test'`: hashes for vectors, for the unit tests of host apps. */

import { settingsOf, TEST_DIMENSION } from '../dropin/config.js';
import type { Engine } from '../dropin/engine.js';
import type { TestConfig, VectorSpace } from '../dropin/iembedder.js';
import { ManagedEmbedder } from '../dropin/managed.js';
import { hashVector } from './hash.js';

/** An {@link IEmbedder} without a model and without native code; see {@link hashVector}. */
export class TestEmbedder extends ManagedEmbedder {
  constructor(config: TestConfig = {}) {
    const memory = (): { rss: number; heapUsed: number; external: number } => {
      const { rss, heapUsed, external } = process.memoryUsage();
      return { rss, heapUsed, external };
    };
    const traits = { concurrency: 1, ownLanes: false, retriesEmbed: false, exclusive: false, memory };
    super('test', traits, config, () => Promise.resolve(engineOf(config)));
  }
}

function engineOf(config: TestConfig): Engine {
  const { dimension = TEST_DIMENSION, modelName: model = 'hash' } = config;
  const unknown = { revision: null, maxTokens: null, pooling: null, precision: null };
  // Its vectors always have length 1; without `normalizeVectors` that is merely not promised.
  const { normalizeVectors: normalize } = settingsOf(config);
  const space: VectorSpace = {
    kind: 'test',
    model,
    dimension,
    normalize,
    ...unknown,
    fingerprint: `hash 1, ${String(dimension)}`,
  };
  return {
    space,
    embed: (texts) => Promise.resolve(texts.map((text) => hashVector(text, dimension))),
    isHealthy: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
}
