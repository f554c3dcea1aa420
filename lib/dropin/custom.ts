/** The kind `'custom'`: vectors that a function of the host's makes. */

import { waitFor } from '../abort.js';
import { asEmbedError, codeOf, embedError } from '../errors.js';
import { atMost } from './batches.js';
import { captured, settingsOf } from './config.js';
import { bareSpace, PLAIN, PROBE, type Engine, type EngineCall, type StartContext } from './engine.js';
import { checkedVectors, unit } from './http.js';
import type { CustomConfig, VectorSpace } from './iembedder.js';
import { limit } from './limit.js';
import { ManagedEmbedder } from './managed.js';
import { linked } from './signals.js';

/** An {@link IEmbedder} over a function. */
export class CustomEmbedder extends ManagedEmbedder {
  constructor(config: CustomConfig) {
    const own = captured(config);
    super('custom', PLAIN, own, (context) => CustomEngine.start(own, context));
  }
}

type Custom = NonNullable<CustomConfig['custom']>;

class CustomEngine implements Engine {
  readonly space: VectorSpace;
  readonly #custom: Custom;
  readonly #closeMs: number;

  private constructor(custom: Custom, space: VectorSpace, closeMs: number) {
    this.#custom = custom;
    this.space = space;
    this.#closeMs = closeMs;
  }

  static async start(config: CustomConfig, { signal, tell }: StartContext): Promise<CustomEngine> {
    const { custom } = config;
    if (!custom) throw embedError('ERR_EMBED_INTERNAL', 'The configuration was not checked');
    tell('loading', 'Computing a first vector');
    const { timeout: timeoutMs, normalizeVectors: normalize, drainTimeout } = settingsOf(config);
    const [vector] = await run(custom, [PROBE], undefined, { signal, timeoutMs });
    const { fingerprint } = custom;
    const known = { dimension: vector?.length ?? 0, normalize, fingerprint };
    return new CustomEngine(custom, bareSpace('custom', config.modelName ?? fingerprint, known), drainTimeout);
  }

  async embed(texts: readonly string[], call: EngineCall): Promise<Float32Array[]> {
    const vectors = await run(this.#custom, texts, this.space.dimension, call);
    return this.space.normalize ? vectors.map(unit) : vectors;
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    return run(this.#custom, [PROBE], this.space.dimension, { signal, timeoutMs: PROBE_MS }).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    const closing = Promise.resolve().then(() => this.#custom.close?.());
    await atMost(
      this.#closeMs,
      closing.catch(() => undefined),
    ); // closing has no way to fail that a host could act on
  }
}

/** How long the function may take to show that it works. */
const PROBE_MS = 5000;

async function run(
  { embed }: Custom,
  texts: readonly string[],
  dimension: number | undefined,
  { signal, timeoutMs }: Pick<EngineCall, 'signal' | 'timeoutMs'>,
): Promise<Float32Array[]> {
  const { end, unlink } = linked(signal);
  const stopWaiting = limit(timeoutMs, () => {
    end.abort(embedError('ERR_EMBED_TIMEOUT', `config.custom.embed did not answer within ${String(timeoutMs)} ms`));
  });
  try {
    const vectors = await waitFor(() => Promise.resolve().then(() => embed(texts, { signal: end.signal })), {
      signal: end.signal,
    });
    return checkedVectors(vectors, { count: texts.length, dimension, from: 'config.custom.embed' });
  } catch (error) {
    const { reason } = end.signal as { reason: unknown };
    throw !signal.aborted && codeOf(reason) ? asEmbedError(reason) : asEmbedError(error);
  } finally {
    stopWaiting();
    unlink();
  }
}
