/** What the adapters share: the two roles of a text in retrieval, each with its prompt and its lane. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemsIn, text, type Checks } from '../checks.js';
import { describe, embedError } from '../errors.js';
import type { DetailedEmbeddings, EmbedOptions } from '../types.js';
import type { AdapterOptions, EmbedderLike, InputType, RetrievalPrompts } from './types.js';

/** Prompts by name, as sentence-transformers looks them up for documents. */
const NAMES: Readonly<Record<InputType, readonly (keyof RetrievalPrompts)[]>> = {
  query: ['query'],
  document: ['document', 'passage', 'corpus'],
};

const PROMPTS = { query: text, document: text, passage: text, corpus: text };

/** Embeds texts in a role: a query in the interactive lane, documents in the bulk lane. */
export class Roles {
  /** Whether the two roles have different prompts, so that a text's vector depends on its role. */
  readonly differ: boolean;
  readonly #embedder: EmbedderLike;
  readonly #prompts: Readonly<Record<InputType, string>>;

  /**
   * Throws `ERR_EMBED_INVALID_ARGUMENT` for what is no embedder, and `ERR_EMBED_MODEL_INVALID` when the model's prompts cannot
   * be read or are not to be reconciled.
   */
  constructor(embedder: EmbedderLike, prompts: RetrievalPrompts = {}) {
    refuse(problemOf(embedder));
    const configured = new ModelPrompts(embedder.info.path);
    this.#embedder = embedder;
    this.#prompts = {
      query: configured.before('query', givenIn(prompts, 'query')),
      document: configured.before('document', givenIn(prompts, 'document')),
    };
    this.differ = this.#prompts.query !== this.#prompts.document;
  }

  /** What is put before a text in this role. */
  promptOf(role: InputType): string {
    return this.#prompts[role];
  }

  /** The vectors and token counts of texts in a role. The lane is the role's unless `options` say otherwise. */
  async embed(role: InputType, texts: readonly string[], options: EmbedOptions = {}): Promise<DetailedEmbeddings> {
    return this.#embedder.embedDetailed(prompted(texts, this.#prompts[role]), {
      priority: role === 'query' ? 'interactive' : 'bulk',
      ...options,
    });
  }

  /** The vector of a question as plain numbers. */
  async query(text: string, options?: EmbedOptions): Promise<number[]> {
    const [vector] = (await this.embed('query', [text], options)).vectors;
    return Array.from(vector ?? []);
  }

  /** The vectors of texts that are searched as plain numbers, in the order of the texts. */
  async documents(texts: readonly string[], options?: EmbedOptions): Promise<number[][]> {
    return numbers((await this.embed('document', texts, options)).vectors);
  }
}

/** Throws `ERR_EMBED_INVALID_ARGUMENT` unless options are those of every adapter, or `more`. */
export function checkOptions(options: AdapterOptions, more: Checks = {}): void {
  refuse(problemsIn(options, { prompts: PROMPTS, ...more }, 'options')[0]);
  const { prompts = {} } = options;
  const names = NAMES.document.filter((name) => prompts[name] !== undefined);
  if (names.length < 2) return;
  const [all, given] = [NAMES.document.join(', '), names.join(' and ')];
  refuse(`Expected only one of ${all} in options.prompts, which mean the same, but received ${given}`);
}

/** Throws `ERR_EMBED_INVALID_ARGUMENT` if there is a problem. */
export function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw embedError('ERR_EMBED_INVALID_ARGUMENT', problem);
}

/** The prompt that was given for a role, under whichever of its names. */
function givenIn(prompts: RetrievalPrompts, role: InputType): string | undefined {
  return NAMES[role].map((name) => prompts[name]).find((prompt) => prompt !== undefined);
}

/** What is wrong with an embedder, or nothing. */
function problemOf(embedder: unknown): string | undefined {
  const { info, embedDetailed } = (embedder ?? {}) as Partial<EmbedderLike>;
  if (info && typeof embedDetailed === 'function') return undefined;
  const received = embedder instanceof Promise ? 'a promise: await it first' : describe(embedder);
  return `Expected an Embedder for embedder but received ${received}`;
}

/** Texts with a prompt before each. What is no text stays as it is, to be refused where texts are checked. */
function prompted(texts: readonly string[], prompt: string): readonly string[] {
  if (prompt === '' || !Array.isArray(texts)) return texts;
  return texts.map((text: unknown) => (typeof text === 'string' ? prompt + text : text) as string);
}

/** Vectors as frameworks want them: arrays of plain numbers. */
export function numbers(vectors: readonly Float32Array[]): number[][] {
  return vectors.map((vector) => Array.from(vector));
}

/** Options without a signal that is not there: `signal: undefined` is no option of a call. */
export function withSignal(signal: AbortSignal | undefined): EmbedOptions {
  return signal ? { signal } : {};
}

/** The prompts in a model's folder. */
class ModelPrompts {
  readonly #file: string;
  readonly #prompts: Readonly<Record<string, unknown>>;
  /** What the embedder puts before every text by itself, because the model's configuration has it so. */
  readonly #always: string;

  constructor(folder: string) {
    this.#file = join(folder, 'config_sentence_transformers.json');
    const { prompts, default_prompt_name: name } = this.#read();
    this.#prompts = typeof prompts === 'object' && prompts !== null ? (prompts as Record<string, unknown>) : {};
    const always = typeof name === 'string' ? this.#prompts[name] : undefined;
    this.#always = typeof always === 'string' ? always : '';
  }

  /** What is to be put before a text in this role, beyond what the embedder does by itself. */
  before(role: InputType, given: string | undefined): string {
    const name = NAMES[role].find((candidate) => typeof this.#prompts[candidate] === 'string');
    const wanted = given ?? (name === undefined ? this.#always : (this.#prompts[name] as string));
    if (this.#always === '') return wanted;
    if (wanted === this.#always) return '';
    throw embedError(
      'ERR_EMBED_MODEL_INVALID',
      `Expected the prompt ${JSON.stringify(this.#always)} for a ${role}, which default_prompt_name in ` +
        `${this.#file} puts before every text, but received ${JSON.stringify(wanted)}`,
    );
  }

  #read(): { prompts?: unknown; default_prompt_name?: unknown } {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw embedError('ERR_EMBED_MODEL_NOT_FOUND', `${this.#file} cannot be read`, { cause: error });
    }
    try {
      return (JSON.parse(text) ?? {}) as Record<string, unknown>;
    } catch (error) {
      throw embedError('ERR_EMBED_MODEL_INVALID', `${this.#file} is not JSON`, { cause: error });
    }
  }
}
