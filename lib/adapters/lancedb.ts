/** `sentence-embedder/lancedb`: an embedding function in LanceDB's registry, with which tables embed and search texts. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { getRegistry, register, TextEmbeddingFunction } from '@lancedb/lancedb/embedding';
import { Embedder } from '../embedder.js';
import { embedError } from '../errors.js';
import type { LoadOptions } from '../types.js';
import { checkOptions, Roles } from './roles.js';
import type { RetrievalPrompts } from './types.js';

export type {
  DownloadProgressEvent,
  DownloadStartedEvent,
  LoadEvent,
  LoadingEvent,
  LoadOptions,
  ModelCachedEvent,
  ModelLoadedEvent,
  PreparingEvent,
  WarningEvent,
} from '../types.js';
export type * from './types.js';

/** The name in the registry, which a table's metadata keeps. */
const NAME = 'sentence-embedder';

/**
 * The options that a table's metadata stores, so that another process that opens the table can load the embedder. Existing
 * folders are stored as absolute paths. For folders that differ between machines, a string may be `'$var:NAME:DEFAULT'`,
 * which `getRegistry().setVar` fills in.
 */
export interface SentenceEmbedderOptions extends Omit<LoadOptions, 'onProgress' | 'signal'> {
  /** Text to put before each text. The default is the model's own configuration. */
  prompts?: RetrievalPrompts;
}

/** The embedders of this process by their options: LanceDB makes a function anew whenever it opens or searches a table. */
const embedders = new Map<string, Promise<Embedder>>();

/**
 * An embedding function. All functions with the same options share one `Embedder`. Create it with {@link sentenceEmbedder}.
 * Importing this module registers it as `sentence-embedder`.
 */
export class SentenceEmbedderFunction extends TextEmbeddingFunction<SentenceEmbedderOptions> {
  readonly #load: LoadOptions;
  readonly #prompts: RetrievalPrompts | undefined;
  #loaded: { readonly roles: Roles; readonly dimension: number } | undefined;

  constructor(options: SentenceEmbedderOptions = {}) {
    super();
    const { prompts, ...load } = this.resolveVariables(withWholePaths(options));
    // The others are checked where they are used, on the native side.
    checkOptions(prompts === undefined ? {} : { prompts });
    this.#load = load;
    this.#prompts = prompts;
  }

  /** Loads the model, once per process. Rejects as `Embedder.load` does. */
  override async init(): Promise<void> {
    const embedder = await shared(this.#load);
    const roles = new Roles(embedder, this.#prompts);
    this.#loaded = { roles, dimension: embedder.info.dimension };
  }

  /** Length of a vector, once the model is loaded. */
  override ndims(): number | undefined {
    return this.#loaded?.dimension;
  }

  /** Returns the vector of a question, in the interactive lane. */
  override computeQueryEmbeddings(text: string): Promise<number[]> {
    return this.#roles().query(text);
  }

  /** Returns one vector per text, in the bulk lane. */
  override generateEmbeddings(texts: string[]): Promise<number[][]> {
    return this.#roles().documents(texts);
  }

  #roles(): Roles {
    if (this.#loaded) return this.#loaded.roles;
    throw embedError('ERR_EMBED_CLOSED', 'The embedding function is not loaded: make it with sentenceEmbedder()');
  }
}

register(NAME)(SentenceEmbedderFunction);

/**
 * Loads an embedding function for `LanceSchema`, or for `createTable` with `embeddingFunction`.
 *
 * @example
 * ```ts
 * import { LanceSchema } from '@lancedb/lancedb/embedding';
 * import { sentenceEmbedder } from 'sentence-embedder/lancedb';
 *
 * const embedding = await sentenceEmbedder({ model: './models/all-MiniLM-L6-v2' });
 * const schema = LanceSchema({ text: embedding.sourceField(), vector: embedding.vectorField() });
 * ```
 */
export async function sentenceEmbedder(options: SentenceEmbedderOptions = {}): Promise<SentenceEmbedderFunction> {
  const registered = getRegistry().get<SentenceEmbedderFunction>(NAME);
  // A registry that was reset has forgotten it, and so would a table.
  if (!registered) register(NAME)(SentenceEmbedderFunction);
  const made = new SentenceEmbedderFunction(options);
  await made.init();
  return made;
}

/**
 * Closes all embedders that this module's functions have loaded. A later `sentenceEmbedder` or `openTable` loads them
 * again.
 */
export async function closeEmbedders(): Promise<void> {
  const loading = [...embedders.values()];
  embedders.clear();
  for (const loaded of await Promise.allSettled(loading)) if (loaded.status === 'fulfilled') await loaded.value.close();
}

/** Options whose folders are there for a process in another folder too: what is stored of them is their absolute path. */
function withWholePaths(options: SentenceEmbedderOptions): SentenceEmbedderOptions {
  const whole = { ...options };
  for (const name of ['model', 'cacheDir'] as const) {
    const path = whole[name];
    if (typeof path === 'string' && existsSync(path)) whole[name] = resolve(path);
  }
  return whole;
}

function shared(options: LoadOptions): Promise<Embedder> {
  const key = JSON.stringify(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
  const known = embedders.get(key);
  if (known) return known;
  const loading = Embedder.load(options);
  embedders.set(key, loading);
  loading.catch(() => {
    if (embedders.get(key) === loading) embedders.delete(key); // the next call tries again
  });
  return loading;
}
