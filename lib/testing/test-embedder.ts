/** The kind `'test'`: hashes for vectors, for the unit tests of host apps. */

import { captured, settingsOf, TEST_DIMENSION } from '../dropin/config.js';
import { bareSpace, ownMemory, PLAIN, type Engine } from '../dropin/engine.js';
import type { TestConfig } from '../dropin/iembedder.js';
import { ManagedEmbedder } from '../dropin/managed.js';
import { hashVector } from './hash.js';

/** An {@link IEmbedder} without a model and without native code; see {@link hashVector}. */
export class TestEmbedder extends ManagedEmbedder {
  constructor(config: TestConfig = {}) {
    const own = captured(config);
    super('test', { ...PLAIN, memory: ownMemory }, own, () => Promise.resolve(engineOf(own)));
  }
}

function engineOf(config: TestConfig): Engine {
  const { dimension = TEST_DIMENSION, modelName: model = 'hash' } = config;
  // Its vectors always have length 1; without `normalizeVectors` that is merely not promised.
  const { normalizeVectors: normalize } = settingsOf(config);
  const fingerprint = `hash 1, ${String(dimension)}`;
  return {
    space: bareSpace('test', model, { dimension, normalize, fingerprint }),
    embed: (texts) => Promise.resolve(texts.map((text) => hashVector(text, dimension))),
    isHealthy: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
}
