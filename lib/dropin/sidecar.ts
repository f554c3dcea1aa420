/** The kind `'sidecar'`: the HTTP server that this package replaces, for the way back. */

import { codeOf, embedError } from '../errors.js';
import { isSameModel } from '../stamps.js';
import { pause } from './batches.js';
import { captured, DEFAULT_MODEL, settingsOf, SIDECAR_URL, START_TIMEOUT_MS } from './config.js';
import { PLAIN, type Engine, type EngineCall, type StartContext } from './engine.js';
import { addressOf, checkedVectors, requestJson } from './http.js';
import type { SidecarConfig, VectorSpace } from './iembedder.js';
import { ManagedEmbedder } from './managed.js';
import { ServerProcess } from './server-process.js';

/** How often a server that is not ready is asked again. */
const POLL_MS = 250;

/** How long a server may take to say how it is. */
const HEALTH_MS = 5000;

/** An {@link IEmbedder} over the sidecar. Like the sidecar's own client, it sends one request at a time. */
export class SidecarEmbedder extends ManagedEmbedder {
  constructor(config: SidecarConfig = {}) {
    // A process of ours has its port to itself.
    const traits = { ...PLAIN, retriesEmbed: true, exclusive: true };
    const own = captured(config);
    super('sidecar', traits, own, (context) => SidecarEngine.start(own, context));
  }
}

interface Parts {
  url: string;
  process: ServerProcess | undefined;
  space: VectorSpace;
}

class SidecarEngine implements Engine {
  readonly space: VectorSpace;
  readonly #url: string;
  readonly #process: ServerProcess | undefined;

  private constructor({ url, process, space }: Parts) {
    this.#url = url;
    this.#process = process;
    this.space = space;
  }

  static async start(config: SidecarConfig, context: StartContext): Promise<SidecarEngine> {
    const { url = SIDECAR_URL, startTimeout = START_TIMEOUT_MS, command } = config.sidecar ?? {};
    let process: ServerProcess | undefined;
    try {
      if (command && (await isNobodyAt(url, context.signal))) {
        context.tell('checking', 'Starting the sidecar');
        process = new ServerProcess(command, context.tell);
      }
      await untilReady(url, process, startTimeout, context);
      return new SidecarEngine({ url, process, space: await spaceAt(url, config, context.signal) });
    } catch (error) {
      await process?.stop();
      throw error;
    }
  }

  async embed(texts: readonly string[], { signal, timeoutMs }: EngineCall): Promise<Float32Array[]> {
    const url = addressOf(this.#url, '/embed');
    const { normalize, pooling, dimension } = this.space;
    const body = { texts, normalize, pooling, batch_size: texts.length };
    const answer = (await requestJson({ url, body, signal, timeoutMs })) as { vectors?: unknown } | null;
    return checkedVectors(answer?.vectors, { count: texts.length, dimension, from: url });
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    if (this.#process?.end) return false;
    return health(this.#url, signal).then((it) => it.model_loaded === true, () => false); // prettier-ignore
  }

  async close(): Promise<void> {
    await this.#process?.stop();
  }
}

interface Health {
  readonly model_loaded?: unknown;
  readonly model_loading?: unknown;
}

async function health(url: string, signal: AbortSignal): Promise<Health> {
  const answer = await requestJson({ url: addressOf(url, '/health'), signal, timeoutMs: HEALTH_MS });
  return typeof answer === 'object' && answer !== null ? answer : {};
}

/** Whether a server can be started there: one that is busy, or somebody else's, has the port. */
async function isNobodyAt(url: string, signal: AbortSignal): Promise<boolean> {
  return health(url, signal).then(
    () => false,
    (error: unknown) => codeOf(error) === 'ERR_EMBED_RUNTIME_NOT_FOUND',
  );
}

async function untilReady(
  url: string,
  process: ServerProcess | undefined,
  limit: number,
  { signal, tell }: StartContext,
): Promise<void> {
  const end = performance.now() + limit;
  let told = false;
  for (;;) {
    let problem: unknown;
    try {
      const { model_loaded: loaded, model_loading: isLoading } = await health(url, signal);
      if (loaded === true) return;
      // A process of ours tells itself whether it downloads or loads.
      if (!process && isLoading === true && !told) tell('loading', 'The sidecar is loading its model');
      told ||= isLoading === true;
    } catch (error) {
      // A server that is up and cannot answer may still be loading; where there is none, only ours can be on its way. What
      // is wrong with the request stays so.
      const busy = codeOf(error) === 'ERR_EMBED_INFERENCE' || codeOf(error) === 'ERR_EMBED_TIMEOUT';
      const isFinal = codeOf(error) === 'ERR_EMBED_INVALID_ARGUMENT';
      if (signal.aborted || isFinal || (!process && !busy)) throw error;
      problem = error;
    }
    if (process?.end) throw process.end;
    if (performance.now() >= end) {
      const message = `The sidecar at ${url} was not ready within ${String(limit)} ms`;
      throw embedError('ERR_EMBED_TIMEOUT', message, problem === undefined ? undefined : { cause: problem });
    }
    await pause(POLL_MS, signal);
  }
}

/** What the server says of itself, if it has the model that is wanted. */
async function spaceAt(url: string, config: SidecarConfig, signal: AbortSignal): Promise<VectorSpace> {
  const address = addressOf(url, '/info');
  const answer = await requestJson({ url: address, signal, timeoutMs: HEALTH_MS });
  const { model_id: model, dim: dimension } = (answer ?? {}) as { model_id?: unknown; dim?: unknown };
  if (typeof model !== 'string' || !Number.isInteger(dimension)) {
    throw embedError('ERR_EMBED_MODEL_INVALID', `Expected model_id and dim from ${address} but received neither`);
  }
  const wanted = config.sidecar?.model ?? config.modelName ?? DEFAULT_MODEL;
  if (!isSameModel(model, wanted)) {
    const message = `The sidecar at ${url} has the model ${model}, not ${wanted}: set config.sidecar.model if that is intended`;
    throw embedError('ERR_EMBED_MODEL_INVALID', message);
  }
  return {
    kind: 'sidecar',
    model,
    revision: null,
    dimension: dimension as number,
    maxTokens: null,
    pooling: config.sidecar?.pooling ?? 'mean',
    normalize: settingsOf(config).normalizeVectors,
    precision: 'fp32', // what sentence-transformers computes in
    fingerprint: null,
  };
}
