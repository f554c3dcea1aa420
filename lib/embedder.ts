/** The `Embedder` class: hands each call to the native side and its answer back. */

import { answer, settle } from './abort.js';
import { unproxied } from './arrays.js';
import { nativeAddon, type CallDefaults, type NativeEmbedder, type NativeEmbeddings } from './native.js';
import { embedStream } from './stream.js';
import type {
  DetailedEmbeddings,
  EmbedderStats,
  EmbedOptions,
  LoadEvent,
  LoadOptions,
  ModelInfo,
  StreamedVector,
  StreamOptions,
} from './types.js';

/** Kept, as jest's fake timers replace them with ones that only they run. */
const microtask = queueMicrotask;
const now = performance.now.bind(performance);

/** Most progress reports of a call in a second. */
const REPORTS_PER_SECOND = 20;

/** What `embedOne` implies. */
export const ONE: CallDefaults = { priority: 'interactive', single: true };
/** What `embedBatch` and `embedDetailed` imply. */
export const MANY: CallDefaults = { priority: 'bulk', single: false };

/**
 * A loaded model that computes the vectors of texts, off the JavaScript thread.
 *
 * Any number of calls can run at once; each returns its vectors in the order of its texts. A text's vector does not depend
 * on the other texts in the call. A rejected call returns no partial results and leaves the embedder usable.
 *
 * @example
 * ```ts
 * import { Embedder } from 'sentence-embedder';
 *
 * const embedder = await Embedder.load({ model: './models/all-MiniLM-L6-v2' });
 * const [cat, dog] = await embedder.embedBatch(['a cat', 'a dog']);
 * await embedder.close();
 * ```
 */
export class Embedder {
  /** Describes the loaded model: everything that determines its vectors. Frozen. */
  readonly info: ModelInfo;
  /** Does the same as {@link Embedder.close}, for `await using`. Exists only if the runtime has `Symbol.asyncDispose`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly #native: NativeEmbedder;

  private constructor(native: NativeEmbedder) {
    this.#native = native;
    const info = native.info();
    Object.freeze(info.sources);
    Object.freeze(info.matryoshkaDimensions);
    this.info = Object.freeze(info);
  }

  /**
   * Loads a model. Once it is loaded, nothing is sent over the network.
   *
   * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_MODEL_NOT_FOUND`, `_MODEL_INVALID`, `_DOWNLOAD`, `_OFFLINE`,
   * `_RUNTIME_NOT_FOUND`, `_ABORTED`, `_INFERENCE` if memory runs out, or `_INTERNAL` if threads run out.
   */
  static async load(options?: LoadOptions): Promise<Embedder> {
    const native = await settle(options, () => nativeAddon().NativeEmbedder.load(options, onEventOf(options)));
    return new Embedder(native);
  }

  /**
   * Embeds one text. Goes before bulk calls unless `priority` says otherwise.
   *
   * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_TOO_LONG`, `_TIMEOUT`, `_ABORTED`, `_CLOSED`, `_INFERENCE` or `_INTERNAL`.
   */
  async embedOne(text: string, options?: EmbedOptions): Promise<Float32Array> {
    const { data } = await this.#embed([text], options, ONE);
    return new Float32Array(data.buffer, data.byteOffset, data.length);
  }

  /**
   * Embeds an array of texts and returns one vector per text, in the same order. The vectors are views into one buffer, so
   * keeping one keeps them all in memory; `slice()` makes an independent copy. An empty array returns an empty array.
   *
   * Rejects as {@link Embedder.embedOne} does.
   */
  async embedBatch(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]> {
    return rows(await this.#embed(texts, options, MANY));
  }

  /**
   * Embeds an array of texts as {@link Embedder.embedBatch} does, and also returns each text's number of tokens and whether
   * it was truncated.
   */
  async embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings> {
    const embedded = await this.#embed(texts, options, MANY);
    return {
      vectors: rows(embedded),
      tokenCounts: counts(embedded.tokenCounts),
      truncated: Array.from(embedded.truncated),
    };
  }

  /**
   * Embeds texts from an iterable and yields their vectors in order. At most `batchSize` texts are read ahead, so memory
   * does not grow with their number. Leaving the loop early closes the source. `timeoutMs` applies to each batch; `signal`
   * is checked when a batch is embedded, not while waiting for the source.
   *
   * Rejects as {@link Embedder.embedBatch} does, and then closes the source. Also rejects with the source's own error;
   * texts of the batch that is not yet full are then not embedded. The embedder stays usable.
   */
  embedStream(
    source: AsyncIterable<string> | Iterable<string>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamedVector, void, undefined> {
    return embedStream(source, options, (texts, forBatch) => this.embedBatch(texts, forBatch));
  }

  /**
   * Counts the tokens of each text as the model would read it: before truncation, special tokens included.
   *
   * Rejects with `ERR_EMBED_INVALID_ARGUMENT`, `_CLOSED`, `_INFERENCE` or `_INTERNAL`.
   */
  async countTokens(texts: readonly string[]): Promise<Uint32Array> {
    return counts(await answer(() => this.#native.countTokens(unproxied(texts))));
  }

  /** Statistics of this embedder. Still available after {@link Embedder.close}. */
  stats(): EmbedderStats {
    return this.#native.stats();
  }

  /**
   * Frees the model. Unfinished and later calls reject with `ERR_EMBED_CLOSED`. Resolves when all threads have ended.
   * Closing again does nothing more.
   */
  async close(): Promise<void> {
    return answer(() => this.#native.close());
  }

  async #embed(texts: unknown, options: unknown, defaults: CallDefaults): Promise<NativeEmbeddings> {
    const progress = watchProgress(options);
    try {
      const embedded = await settle(options, () => this.#native.embed(unproxied(texts), progress.options, defaults));
      progress.finish(embedded.tokenCounts.length);
      return embedded;
    } finally {
      progress.end();
    }
  }
}

// `Symbol.asyncDispose` is missing from Node before 20 and from Electron before 29, where the line above is only a type.
if (typeof Symbol.asyncDispose === 'symbol') {
  Object.defineProperty(Embedder.prototype, Symbol.asyncDispose, {
    configurable: true,
    writable: true,
    value(this: Embedder): Promise<void> {
      return this.close();
    },
  });
}

// Arrays are made afresh over the native side's buffers, which costs nothing: in jest and in `node:vm` the native side's
// own arrays are no instances of the caller's `Float32Array`.

/** The rows of the answer as views over its one buffer. */
function rows({ data, dimension, tokenCounts }: NativeEmbeddings): Float32Array[] {
  const { buffer, byteOffset, BYTES_PER_ELEMENT } = data;
  return Array.from(
    { length: tokenCounts.length },
    (_, row) => new Float32Array(buffer, byteOffset + row * dimension * BYTES_PER_ELEMENT, dimension),
  );
}

function counts({ buffer, byteOffset, length }: Uint32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

/** The progress callback among the options, if it is one: the native side refuses the call if it is not. */
function onEventOf(options: LoadOptions | undefined): ((event: LoadEvent) => void) | undefined {
  const onProgress: unknown = typeof options === 'object' ? (options as LoadOptions | null)?.onProgress : undefined;
  return typeof onProgress === 'function' ? (onProgress as (event: LoadEvent) => void) : undefined;
}

/**
 * The options with an `onProgress` that is silent once the call is settled: reports and the result come to this thread
 * on different ways, so that a report may be the later one. It leaves out reports that come too fast, as those do that have
 * waited for a busy thread. `finish` makes the last report.
 */
function watchProgress(options: unknown): { options: unknown; finish: (total: number) => void; end: () => void } {
  const onProgress: unknown = typeof options === 'object' ? (options as EmbedOptions | null)?.onProgress : undefined;
  if (typeof onProgress !== 'function') return { options, finish: () => undefined, end: () => undefined };
  let settled = false;
  const report = (done: number, total: number): void => {
    if (!settled) (onProgress as (done: number, total: number) => void)(done, total);
  };
  const times: number[] = [];
  const reportIfDue = (done: number, total: number): void => {
    const [oldest] = times;
    // One of a second's reports is kept for the last one.
    if (oldest !== undefined && times.length === REPORTS_PER_SECOND - 1) {
      if (now() - oldest <= 1000) return;
      times.shift();
    }
    times.push(now());
    report(done, total);
  };
  return {
    // Over the options and not a copy of them, so that what they inherit counts as it does without a callback.
    options: Object.create(options as EmbedOptions, { onProgress: { value: reportIfDue, enumerable: true } }),
    finish: (total) => {
      if (total > 0) microtask(report.bind(null, total, total));
    },
    end: () => {
      microtask(() => {
        settled = true;
      });
    },
  };
}
