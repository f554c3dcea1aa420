/** Makes embedders of the kind that a configuration names: a host app's way back is one word there. */

import { describe, embedError } from '../errors.js';
import { TestEmbedder } from '../testing/test-embedder.js';
import { problemsOfFactory } from './config.js';
import { CustomEmbedder } from './custom.js';
import { FallbackEmbedder } from './fallback.js';
import type {
  CustomConfig,
  EmbedderKind,
  IEmbedderConfig,
  InProcessConfig,
  OllamaConfig,
  SidecarConfig,
  TestConfig,
} from './iembedder.js';
import { InProcessEmbedder } from './in-process.js';
import { IsolatedEmbedder } from './isolated.js';
import type { ManagedEmbedder } from './managed.js';
import { OllamaEmbedder } from './ollama.js';
import { SidecarEmbedder } from './sidecar.js';

/**
 * The configuration of an {@link EmbedderFactory}. It may hold options of kinds that it does not name, for the day when `kind`
 * is another word: they are checked all the same.
 */
export interface FactoryConfig extends InProcessConfig, SidecarConfig, OllamaConfig, CustomConfig, TestConfig {
  /**
   * What makes the vectors.
   * @defaultValue `'native'`
   */
  kind?: EmbedderKind;
  /**
   * Kinds to try, in this order, when the one before cannot start.
   * @defaultValue none
   */
  fallback?: readonly EmbedderKind[];
  /**
   * The folder of the index that the vectors are for: a fallback whose vectors do not go with its stamp is not taken.
   * @defaultValue none: the host checks the stamp itself
   */
  indexDir?: string;
}

/** Makes embedders after one configuration. */
export class EmbedderFactory {
  /** The configuration. Frozen. */
  readonly config: FactoryConfig;

  constructor(config: FactoryConfig = {}) {
    this.config = Object.freeze({ ...checked(config) });
  }

  /** What is wrong with the configuration, in words. Looks at nothing but the configuration itself. */
  validateConfig(): { valid: boolean; errors: string[] } {
    const errors = problemsOfFactory(this.config);
    return { valid: errors.length === 0, errors };
  }

  /** An embedder, not initialized yet. Throws `ERR_EMBED_INVALID_ARGUMENT` when the configuration is wrong. */
  create(): ManagedEmbedder | FallbackEmbedder {
    const { valid, errors } = this.validateConfig();
    if (!valid) throw embedError('ERR_EMBED_INVALID_ARGUMENT', errors.join('; '));
    const { kind = 'native', fallback = [], indexDir, ...options } = this.config;
    if (fallback.length === 0) return make(kind, options);
    const { autoStart = true, onEvent } = options;
    const each = { ...options, autoStart: true }; // only a start shows whether the next kind is needed
    // The model's name is the first kind's; what Ollama calls a model is never that.
    const others = Array.from(fallback, (it) => make(it, SAME_NAMES.has(it) ? each : nameless(each)));
    return new FallbackEmbedder(make(kind, each), others, { onEvent, autoStart, indexDir });
  }
}

/** A factory for an app as it is shipped: the model in this process, unless `overrides` says otherwise. */
export function createProductionFactory(overrides: FactoryConfig = {}): EmbedderFactory {
  return new EmbedderFactory({ ...checked(overrides), kind: overrides.kind ?? 'native' });
}

/** A factory for an app's own tests: vectors that are hashes of the texts, without a model and without native code. */
export function createTestFactory(overrides: FactoryConfig = {}): EmbedderFactory {
  return new EmbedderFactory({ ...checked(overrides), kind: overrides.kind ?? 'test' });
}

/** The configuration, if it is an object; what is in it is checked when it is used. */
function checked(config: unknown): FactoryConfig {
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config;
  throw embedError('ERR_EMBED_INVALID_ARGUMENT', `Expected an object for config but received ${describe(config)}`);
}

/** Kinds that know a model by the same name. */
const SAME_NAMES: ReadonlySet<EmbedderKind> = new Set(['native', 'isolated', 'sidecar']);

type Options = Omit<FactoryConfig, 'kind' | 'fallback' | 'indexDir'>;

function make(kind: EmbedderKind, options: Options): ManagedEmbedder {
  const { load, sidecar, ollama, custom, dimension, ...common } = options;
  switch (kind) {
    case 'native':
      return new InProcessEmbedder(given<InProcessConfig>({ ...common, load }));
    case 'isolated':
      return new IsolatedEmbedder(given<InProcessConfig>({ ...common, load }));
    case 'sidecar':
      return new SidecarEmbedder(given<SidecarConfig>({ ...common, sidecar }));
    case 'ollama':
      return new OllamaEmbedder(given<OllamaConfig>({ ...common, ollama }));
    case 'custom':
      return new CustomEmbedder(given<CustomConfig>({ ...common, custom }));
    case 'test':
      return new TestEmbedder(given<TestConfig>({ ...common, dimension }));
  }
}

function nameless(options: Options): Options {
  const rest = { ...options };
  delete rest.modelName;
  return rest;
}

/** Without the options that are undefined. */
function given<T extends IEmbedderConfig>(options: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
