/** The kind `'native'`: the model is in this process. */

import { existsSync } from 'node:fs';
import { Embedder } from '../embedder.js';
import { spaceOf } from '../stamps.js';
import type { LoadOptions } from '../types.js';
import { captured, DEFAULT_MODEL, settingsOf } from './config.js';
import {
  ownMemory,
  PLAIN,
  PROBE,
  type Engine,
  type EngineCall,
  type EngineTraits,
  type StartContext,
} from './engine.js';
import type { InProcessConfig, VectorSpace } from './iembedder.js';
import { ManagedEmbedder } from './managed.js';

/**
 * An {@link IEmbedder} over an {@link Embedder} in this process.
 *
 * @example
 * ```ts
 * import { InProcessEmbedder } from 'sentence-embedder';
 *
 * const embedder = new InProcessEmbedder({ modelName: './models/all-MiniLM-L6-v2' });
 * if (!(await embedder.initialize())) throw embedder.lastError;
 * const vectors = await embedder.embed(['a cat', 'a dog']);
 * await embedder.shutdown();
 * ```
 */
export class InProcessEmbedder extends ManagedEmbedder {
  constructor(config: InProcessConfig = {}) {
    const own = captured(config);
    super('native', { ...NATIVE, memory: ownMemory }, own, (context) => NativeEngine.start(own, context));
  }

  /** The loaded model, for features that {@link IEmbedder} lacks, such as counting tokens. A restart replaces it. */
  get embedder(): Embedder | undefined {
    return (this.engine as NativeEngine | undefined)?.embedder;
  }
}

/** A kind over a native session, wherever it is. */
export const NATIVE: EngineTraits = {
  ...PLAIN,
  concurrency: 2, // the second batch is ready when the first one leaves threads idle
  ownLanes: true,
  recovers: false,
};

/** A session over a model in this process. */
export class NativeEngine implements Engine {
  readonly embedder: Embedder;
  readonly space: VectorSpace;

  private constructor(embedder: Embedder) {
    this.embedder = embedder;
    this.space = spaceOf(embedder);
  }

  static async start(config: InProcessConfig, { signal, tell }: StartContext): Promise<NativeEngine> {
    const model = modelOf(config.modelName ?? DEFAULT_MODEL);
    const options: LoadOptions = {
      ...config.load,
      model,
      normalize: settingsOf(config).normalizeVectors,
      signal,
      onProgress: (event) => {
        tellStage(event, tell);
      },
    };
    return new NativeEngine(await Embedder.load(options));
  }

  embed(texts: readonly string[], { signal, timeoutMs, priority }: EngineCall): Promise<Float32Array[]> {
    return this.embedder.embedBatch(texts, { signal, timeoutMs, priority });
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    return this.embedder.embedOne(PROBE, { signal }).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    await this.embedder.close().catch(() => undefined); // closing has no way to fail that a host could act on
  }
}

/** A bare name is one of sentence-transformers, as in Python, unless there is a folder of that name. */
function modelOf(name: string): string {
  return /^[\w.-]+$/.test(name) && !name.startsWith('.') && !existsSync(name) ? `sentence-transformers/${name}` : name;
}

/** What is used of an event of the load, whichever it is. */
interface Told {
  readonly type: string;
  readonly model?: string;
  readonly file?: string;
  readonly overall?: number;
  readonly message?: string;
}

/** What the load tells, as a stage of the start. Kinds of events that are not known here pass unseen. */
function tellStage(
  { type, model = 'the model', file = model, overall, message }: Told,
  tell: StartContext['tell'],
): void {
  if (type === 'download_started') tell('downloading', `Downloading ${model}`, 0);
  if (type === 'download_progress') tell('downloading', `Downloading ${file}`, overall);
  if (type === 'preparing') tell('preparing', `Preparing ${model} for this computer`);
  if (type === 'loading') tell('loading', `Loading ${model}`);
  if (type === 'warning') tell('loading', message ?? `Loading ${model} without a prepared copy`); // it could not be prepared
}
