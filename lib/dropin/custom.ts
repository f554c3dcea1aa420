/** The kind `'custom'`: vectors that a function of the host's makes. */

import { waitFor } from '../abort.js';
import { codeOf, embedError } from '../errors.js';
import { settingsOf } from './config.js';
import type { Engine, EngineCall, StartContext } from './engine.js';
import { checkedVectors, unit } from './http.js';
import type { CustomConfig, VectorSpace } from './iembedder.js';
import { asEmbedError, ManagedEmbedder } from './managed.js';

/** An {@link IEmbedder} over a function. */
export class CustomEmbedder extends ManagedEmbedder {
  constructor(config: CustomConfig) {
    const traits = { concurrency: 1, ownLanes: false, retriesEmbed: false, exclusive: false, memory: undefined };
    super('custom', traits, config, (context) => CustomEngine.start(config, context));
  }
}

type Custom = NonNullable<CustomConfig['custom']>;

class CustomEngine implements Engine {
  readonly space: VectorSpace;
  readonly #custom: Custom;

  private constructor(custom: Custom, space: VectorSpace) {
    this.#custom = custom;
    this.space = space;
  }

  static async start(config: CustomConfig, { signal, tell }: StartContext): Promise<CustomEngine> {
    const { custom } = config;
    if (!custom) throw embedError('ERR_EMBED_INTERNAL', 'The configuration was not checked');
    tell('loading', 'Asking for a first vector');
    const { timeout: timeoutMs, normalizeVectors: normalize } = settingsOf(config);
    const [vector] = await run(custom, [''], undefined, { signal, timeoutMs });
    const unknown = { revision: null, maxTokens: null, pooling: null, precision: null };
    const { fingerprint } = custom;
    const model = config.modelName ?? fingerprint;
    return new CustomEngine(custom, {
      kind: 'custom',
      model,
      dimension: vector?.length ?? 0,
      normalize,
      ...unknown,
      fingerprint,
    });
  }

  async embed(texts: readonly string[], call: EngineCall): Promise<Float32Array[]> {
    const vectors = await run(this.#custom, texts, this.space.dimension, call);
    return this.space.normalize ? vectors.map(unit) : vectors;
  }

  async isHealthy(): Promise<boolean> {
    const { signal } = new AbortController();
    return run(this.#custom, [''], this.space.dimension, { signal, timeoutMs: PROBE_MS }).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    await this.#custom.close?.().catch(() => undefined); // closing has no way to fail that a host could act on
  }
}

/** How long the function may take for an empty text. */
const PROBE_MS = 5000;

async function run(
  { embed }: Custom,
  texts: readonly string[],
  dimension: number | undefined,
  { signal, timeoutMs }: Pick<EngineCall, 'signal' | 'timeoutMs'>,
): Promise<Float32Array[]> {
  const end = new AbortController();
  const timer = setTimeout(() => {
    end.abort(embedError('ERR_EMBED_TIMEOUT', `config.custom.embed did not answer within ${String(timeoutMs)} ms`));
  }, timeoutMs);
  try {
    const either = AbortSignal.any([signal, end.signal]);
    const vectors = await waitFor(() => Promise.resolve().then(() => embed(texts, { signal: either })), {
      signal: either,
    });
    return checkedVectors(vectors, { count: texts.length, dimension, from: 'config.custom.embed' });
  } catch (error) {
    const { reason } = end.signal as { reason: unknown };
    throw !signal.aborted && codeOf(reason) ? asEmbedError(reason) : asEmbedError(error);
  } finally {
    clearTimeout(timer);
  }
}
