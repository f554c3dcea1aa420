// A producer/consumer queue as host apps have one: several files at once, batches of limited tokens across files, retries.

import type { IEmbedder } from 'sentence-embedder';

export interface Chunk {
  id: string;
  text: string;
  tokens: number;
}

export interface Embedded extends Chunk {
  vector: number[];
}

interface Options {
  embedder: IEmbedder;
  /** Tokens in a batch. */
  maxTokens: number;
  /** Batches under way. */
  consumers: number;
  /** Keeps a batch. */
  store: (rows: Embedded[]) => Promise<void>;
}

/** Takes chunks from many producers, packs them into batches wherever they come from, embeds and stores them. */
export class EmbeddingQueue {
  readonly #options: Options;
  readonly #waiting: Chunk[] = [];
  readonly #consumers: Promise<void>[];
  #wake: (() => void)[] = [];
  #finished = false;
  /** Batches that hold chunks of more than one file. */
  mixed = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#consumers = Array.from({ length: options.consumers }, () => this.#consume());
  }

  /** Adds the chunks of a file, a few at a time, as a parser would. */
  async add(chunks: readonly Chunk[]): Promise<void> {
    for (let i = 0; i < chunks.length; i += 5) {
      this.#waiting.push(...chunks.slice(i, i + 5));
      this.#wakeAll();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Resolves when everything is stored. */
  async finish(): Promise<void> {
    this.#finished = true;
    this.#wakeAll();
    await Promise.all(this.#consumers);
  }

  async #consume(): Promise<void> {
    for (;;) {
      const batch = this.#take();
      if (batch.length > 0) {
        const { embedder, store } = this.#options;
        if (new Set(batch.map(({ id }) => id.split('#')[0])).size > 1) this.mixed += 1;
        const vectors = await embedder.embedWithRetry(batch.map(({ text }) => text), 2); // prettier-ignore
        await store(batch.map((chunk, i) => ({ ...chunk, vector: vectors[i] ?? [] })));
      } else if (this.#finished) {
        return;
      } else {
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    }
  }

  #take(): Chunk[] {
    let tokens = 0;
    const end = this.#waiting.findIndex((chunk, i) => (tokens += chunk.tokens) > this.#options.maxTokens && i > 0);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  #wakeAll(): void {
    const waking = this.#wake;
    this.#wake = [];
    for (const wake of waking) wake();
  }
}
