/** Makes embedders of the kind that a configuration names: a host app's way back is one word there. */

import { describe, embedError } from '../errors.js';
import { TestEmbedder } from '../testing/test-embedder.js';
import { problemsOfFactory } from './config.js';
import { CustomEmbedder } from './custom.js';
import { FallbackEmbedder } from './fallback.js';
import type {
  CustomConfig,
  EmbedderKind,
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
 * The configuration of an {@link EmbedderFactory}. It may contain options of kinds that it does not use, so that switching
 * is a change of `kind` alone; they are checked too.
 */
export interface FactoryConfig extends InProcessConfig, SidecarConfig, OllamaConfig, CustomConfig, TestConfig {
  /**
   * What computes the vectors.
   * @defaultValue `'native'`
   */
  kind?: EmbedderKind | undefined;
  /**
   * Kinds to try, in this order, if the previous one cannot start.
   * @defaultValue none
   */
  fallback?: readonly EmbedderKind[] | undefined;
  /**
   * The folder of the index for the vectors: a fallback whose vectors do not match its stamp is not used.
   * @defaultValue none: the app checks the stamp itself
   */
  indexDir?: string | undefined;
}

/** Creates embedders from one configuration. */
export class EmbedderFactory {
  /** The configuration. Frozen. */
  readonly config: FactoryConfig;

  constructor(config: FactoryConfig = {}) {
    this.config = Object.freeze({ ...checked(config) });
  }

  /** Validates the configuration and returns its problems as messages. Looks at nothing else. */
  validateConfig(): { valid: boolean; errors: string[] } {
    const errors = problemsOfFactory(this.config);
    return { valid: errors.length === 0, errors };
  }

  /**
   * Creates an embedder that is not initialized yet. Throws `ERR_EMBED_INVALID_ARGUMENT` if the configuration is invalid.
   */
  create(): ManagedEmbedder | FallbackEmbedder {
    const { valid, errors } = this.validateConfig();
    if (!valid) throw embedError('ERR_EMBED_INVALID_ARGUMENT', errors.join('; '));
    const { kind = 'native', fallback = [], indexDir, ...options } = this.config;
    if (fallback.length === 0) return make(kind, options);
    const { autoStart = true, onEvent } = options;
    const each = { ...options, autoStart: true }; // only a start shows whether the next kind is needed
    // The model's name is the first kind's; what Ollama calls a model is never that.
    const others = Array.from(fallback, (it) => make(it, SAME_NAMES.has(it) ? each : nameless(each)));
    return FallbackEmbedder.of(make(kind, each), others, { onEvent, autoStart, indexDir });
  }
}

/** A factory for production: the model is in this process unless `overrides` says otherwise. */
export function createProductionFactory(overrides: FactoryConfig = {}): EmbedderFactory {
  return new EmbedderFactory({ ...checked(overrides), kind: overrides.kind ?? 'native' });
}

/** A factory for an app's own tests: vectors are hashes of the texts, without a model or native code. */
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
      return new InProcessEmbedder({ ...common, load });
    case 'isolated':
      return new IsolatedEmbedder({ ...common, load });
    case 'sidecar':
      return new SidecarEmbedder({ ...common, sidecar });
    case 'ollama':
      return new OllamaEmbedder({ ...common, ollama });
    case 'custom':
      return new CustomEmbedder({ ...common, custom });
    case 'test':
      return new TestEmbedder({ ...common, dimension });
  }
}

function nameless(options: Options): Options {
  const rest = { ...options };
  delete rest.modelName;
  return rest;
}
