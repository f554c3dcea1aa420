/**
 * The kind `'isolated'`: the model is in a process of its own, so that a crash of native code is not one of this process.
 */

import { listen } from '../abort.js';
import { abortedError, embedError, endedBy, throwIfAborted } from '../errors.js';
import type { EmbedError } from '../types.js';
import { captured } from './config.js';
import { PROBE, type Engine, type EngineCall, type StartContext } from './engine.js';
import { EmbedderProcess } from './embedder-process.js';
import type { InProcessConfig, VectorSpace } from './iembedder.js';
import { NATIVE } from './in-process.js';
import { unpacked, type Order } from './isolated-protocol.js';
import { limit } from './limit.js';
import { ManagedEmbedder } from './managed.js';

/** How much later than its limit the process may say that a call took too long, before it counts as hung and is ended. */
const LATE_MS = 5000;

/**
 * An {@link IEmbedder} over an {@link Embedder} in a separate process: a utility process in Electron's main process,
 * otherwise a child process of Node. It has the same vectors and the same `space` as {@link InProcessEmbedder}.
 *
 * After a crash, another process is started, up to three times in a row without a success, and the calls in progress are
 * repeated once, one batch at a time. A batch that also crashes the second process is given up: its call rejects with
 * `ERR_EMBED_INFERENCE`, whose `cause` has `exitCode`, `signal` and `stderr`. The process ends with `shutdown`, and
 * whenever this process ends.
 *
 * @example
 * ```ts
 * import { IsolatedEmbedder } from 'sentence-embedder';
 *
 * const embedder = new IsolatedEmbedder({ modelName: './models/all-MiniLM-L6-v2' });
 * if (!(await embedder.initialize())) throw embedder.lastError;
 * const vectors = await embedder.embed(['a cat', 'a dog']);
 * await embedder.shutdown();
 * ```
 */
export class IsolatedEmbedder extends ManagedEmbedder {
  constructor(config: InProcessConfig = {}) {
    const own = captured(config);
    super('isolated', { ...NATIVE, suspectsTexts: true }, own, (context) => IsolatedEngine.start(own, context));
  }

  /** The id of the process with the model; `undefined` before a session has started. A restart changes it. */
  get pid(): number | undefined {
    return (this.engine as IsolatedEngine | undefined)?.pid;
  }
}

/** How long the process may take to show that it works. */
const PROBE_MS = 5000;

/** A call that waits for its answer. */
interface Waiting {
  readonly resolve: (vectors: Float32Array) => void;
  readonly reject: (error: EmbedError) => void;
}

class IsolatedEngine implements Engine {
  readonly #process: EmbedderProcess;
  readonly #space: VectorSpace;
  readonly #waiting: Map<number, Waiting>;
  #lastId = 0;

  private constructor(process: EmbedderProcess, space: VectorSpace, waiting: Map<number, Waiting>) {
    this.#process = process;
    this.#space = space;
    this.#waiting = waiting;
  }

  static async start(config: InProcessConfig, { signal, tell }: StartContext): Promise<IsolatedEngine> {
    const order: Order = { type: 'load', config: copied(config) };
    const waiting = new Map<number, Waiting>();
    let loaded: (space: VectorSpace) => void = () => undefined;
    let failed: (error: EmbedError) => void = () => undefined;
    const space = new Promise<VectorSpace>((resolve, reject) => {
      [loaded, failed] = [resolve, reject];
    });
    space.catch(() => undefined); // it may fail before anyone waits for it
    const child = await EmbedderProcess.start(signal, (report) => {
      if (report.type === 'stage') tell(...report.stage);
      if (report.type === 'loaded') loaded(report.space);
      if (report.type === 'failed') failed(unpacked(report.error));
      if (report.type === 'vectors') waiting.get(report.id)?.resolve(report.data);
      if (report.type === 'rejected') waiting.get(report.id)?.reject(unpacked(report.error));
    });
    void child.ended.then((error) => {
      failed(error);
      for (const { reject } of waiting.values()) reject(error);
    });
    const stopListening = listen(signal, () => {
      failed(endedBy(signal));
    });
    try {
      throwIfAborted(signal);
      child.hold(true);
      child.post(order);
      return new IsolatedEngine(child, await space, waiting);
    } catch (error) {
      await child.stop();
      throw error;
    } finally {
      stopListening();
      child.hold(false);
    }
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get space(): VectorSpace {
    return this.#space;
  }

  async embed(texts: readonly string[], call: EngineCall): Promise<Float32Array[]> {
    const { dimension } = this.#space;
    const { buffer, byteOffset } = await this.#ask(texts, call);
    const size = dimension * Float32Array.BYTES_PER_ELEMENT;
    return texts.map((_, row) => new Float32Array(buffer, byteOffset + row * size, dimension));
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    if (this.#process.end) return false;
    return this.#ask([PROBE], { signal, timeoutMs: PROBE_MS, priority: 'interactive' }).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    await this.#process.stop();
  }

  /** The vectors one after another. */
  async #ask(texts: readonly string[], { signal, timeoutMs, priority }: EngineCall): Promise<Float32Array> {
    throwIfAborted(signal);
    if (this.#process.end) throw this.#process.end;
    const id = ++this.#lastId;
    const stops: (() => void)[] = [];
    try {
      return await new Promise<Float32Array>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        if (this.#waiting.size === 1) this.#process.hold(true);
        const stopWaiting = limit(Math.min(timeoutMs + LATE_MS, 2 ** 31 - 1), () => {
          const message = `The embedder's process did not answer within ${String(timeoutMs)} ms, nor ${String(LATE_MS)} ms later`;
          reject(embedError('ERR_EMBED_TIMEOUT', message));
          this.#process.kill();
        });
        const cancel = (): void => {
          this.#process.post({ type: 'cancel', id });
          reject(abortedError(signal));
        };
        stops.push(stopWaiting, listen(signal, cancel));
        this.#process.post({ type: 'embed', id, texts, timeoutMs, priority });
      });
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#process.hold(false);
      for (const stop of stops) stop();
    }
  }
}

/** A copy of the configuration, as the process will get it. `onEvent` stays here. */
function copied(config: InProcessConfig): Omit<InProcessConfig, 'onEvent'> {
  const rest = { ...config };
  delete rest.onEvent;
  try {
    return structuredClone(rest);
  } catch (cause) {
    throw embedError(
      'ERR_EMBED_INVALID_ARGUMENT',
      'Expected values that can be sent to another process for config.load',
      { cause },
    );
  }
}
