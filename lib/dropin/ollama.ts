/** The kind `'ollama'`: a model that Ollama serves on `/api/embed`. */

import { codeOf, embedError } from '../errors.js';
import { captured, OLLAMA_URL, settingsOf, START_TIMEOUT_MS } from './config.js';
import { bareSpace, PLAIN, PROBE, type Engine, type EngineCall, type StartContext } from './engine.js';
import { addressOf, checkedVectors, requestJson, unit } from './http.js';
import type { OllamaConfig, VectorSpace } from './iembedder.js';
import { ManagedEmbedder } from './managed.js';

/** How long Ollama may take to list its models. */
const LIST_MS = 5000;

/** An {@link IEmbedder} over Ollama. */
export class OllamaEmbedder extends ManagedEmbedder {
  constructor(config: OllamaConfig = {}) {
    const own = captured(config);
    super('ollama', { ...PLAIN, retriesEmbed: true }, own, (context) => OllamaEngine.start(own, context));
  }
}

class OllamaEngine implements Engine {
  readonly space: VectorSpace;
  readonly #url: string;

  private constructor(url: string, space: VectorSpace) {
    this.#url = url;
    this.space = space;
  }

  static async start(config: OllamaConfig, { signal, tell }: StartContext): Promise<OllamaEngine> {
    const { url = OLLAMA_URL, startTimeout = START_TIMEOUT_MS, model = config.modelName ?? '' } = config.ollama ?? {};
    tell('loading', `Ollama is loading ${model}`);
    // The first text makes Ollama load the model, and shows how long its vectors are.
    const [vector] = await embedAt(url, model, [PROBE], undefined, { signal, timeoutMs: startTimeout });
    const { normalizeVectors: normalize } = settingsOf(config);
    const fingerprint = await digestOf(url, model, signal);
    return new OllamaEngine(
      url,
      bareSpace('ollama', model, { dimension: vector?.length ?? 0, normalize, fingerprint }),
    );
  }

  async embed(texts: readonly string[], { signal, timeoutMs }: EngineCall): Promise<Float32Array[]> {
    const { model, dimension, normalize } = this.space;
    const vectors = await embedAt(this.#url, model, texts, dimension, { signal, timeoutMs });
    return normalize ? vectors.map(unit) : vectors;
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    return requestJson({ url: addressOf(this.#url, '/api/tags'), signal, timeoutMs: LIST_MS }).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    // Ollama unloads the model by itself.
  }
}

async function embedAt(
  server: string,
  model: string,
  texts: readonly string[],
  dimension: number | undefined,
  call: Pick<EngineCall, 'signal' | 'timeoutMs'>,
): Promise<Float32Array[]> {
  const url = addressOf(server, '/api/embed');
  try {
    const answer = await requestJson({ url, body: { model, input: texts }, ...call });
    const vectors = (answer as { embeddings?: unknown } | null)?.embeddings;
    return checkedVectors(vectors, { count: texts.length, dimension, from: url });
  } catch (error) {
    if (codeOf(error) !== 'ERR_EMBED_MODEL_NOT_FOUND') throw error;
    const message = `Ollama has no model ${model}: run "ollama pull ${model}"`;
    throw embedError('ERR_EMBED_MODEL_NOT_FOUND', message, { cause: error });
  }
}

/** What Ollama names the weights by; nothing where it does not list the model. */
async function digestOf(url: string, model: string, signal: AbortSignal): Promise<string | null> {
  interface Listed {
    name?: unknown;
    digest?: unknown;
  }
  const answer = await requestJson({ url: addressOf(url, '/api/tags'), signal, timeoutMs: LIST_MS }).catch(() => null);
  const { models } = (answer ?? {}) as { models?: unknown };
  const wanted = model.includes(':') ? model : `${model}:latest`;
  const listed = Array.isArray(models) ? (models as Listed[]).find(({ name }) => name === wanted) : undefined;
  return typeof listed?.digest === 'string' ? listed.digest : null;
}
