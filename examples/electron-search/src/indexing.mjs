// One run through a folder: files to passages, passages to vectors, vectors to the store, until it is done or cancelled.

import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { passagesOf } from './passages.mjs';

const READABLE = new Set(['.md', '.markdown', '.txt', '.text', '.rst', '.adoc', '.org', '.tex', '.csv', '.log']);
const LARGEST = 4 * 1024 * 1024; // bytes of a file that a person wrote
const TOGETHER = 32; // passages a call: enough to keep all threads busy, few enough to pause and cancel at once

/** @typedef {'indexing' | 'paused' | 'done' | 'cancelled'} State */

export class Indexing {
  #abort = new AbortController();
  /** @type {PromiseWithResolvers<void> | undefined} */
  #paused;
  /** @type {Promise<void> | undefined} */
  #running;
  #embedder;
  #store;
  #report;
  #progress = {
    state: /** @type {State} */ ('indexing'),
    folder: '',
    file: '',
    files: 0,
    filesTotal: 0,
    passages: 0,
    perSecond: 0,
  };
  #time = { spent: 0, since: performance.now() };

  /**
   * @param {import('sentence-embedder').Embedder} embedder
   * @param {import('./store.mjs').Store} store
   * @param {(progress: object) => void} report
   */
  constructor(embedder, store, report) {
    this.#embedder = embedder;
    this.#store = store;
    this.#report = report;
  }

  /** @param {string} folder */
  run(folder) {
    this.#running ??= this.#all(folder);
    return this.#running;
  }

  pause() {
    if (this.#paused || this.#progress.state !== 'indexing') return;
    this.#time.spent += performance.now() - this.#time.since;
    this.#paused = Promise.withResolvers();
    this.#show({ state: 'paused' });
  }

  resume() {
    if (!this.#paused) return;
    this.#time.since = performance.now();
    this.#show({ state: 'indexing' });
    this.#paused.resolve();
    this.#paused = undefined;
  }

  /** Stops and keeps what is stored so far. */
  async cancel() {
    this.#abort.abort();
    this.#paused?.resolve();
    // Whoever runs it hears of its failure.
    await this.#running?.catch(() => undefined);
  }

  /** @param {string} folder */
  async #all(folder) {
    try {
      this.#show({ folder });
      await this.#store.clear();
      const files = await textFiles(folder, this.#abort.signal);
      this.#show({ filesTotal: files.length });
      for (const file of files) {
        await this.#one(folder, file);
        this.#show({ files: this.#progress.files + 1 });
      }
      this.#show({ state: 'done', file: '' });
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
      this.#show({ state: 'cancelled', file: '' });
    }
  }

  /**
   * @param {string} folder
   * @param {string} file
   */
  async #one(folder, file) {
    const name = relative(folder, file);
    this.#show({ file: name });
    const passages = await readFile(file, 'utf8').then(passagesOf, noneOf);
    for (let i = 0; i < passages.length; i += TOGETHER) {
      await this.#paused?.promise;
      const some = passages.slice(i, i + TOGETHER);
      const texts = some.map(({ text }) => text);
      const vectors = await this.#embedder.embedBatch(texts, { signal: this.#abort.signal });
      await this.#store.add(some.map((passage, row) => ({ ...passage, file: name, vector: vectors[row] })));
      this.#show({ passages: this.#progress.passages + some.length });
    }
    this.#abort.signal.throwIfAborted();
  }

  /** @param {Partial<typeof this.#progress>} change */
  #show(change) {
    Object.assign(this.#progress, change);
    const running = this.#paused ? 0 : performance.now() - this.#time.since;
    this.#progress.perSecond = (this.#progress.passages * 1000) / (this.#time.spent + running + 1);
    this.#report(this.#progress);
  }
}

/**
 * The text files below a folder, without hidden ones and what programs put there.
 * @param {string} folder
 * @param {AbortSignal} signal
 * @returns {Promise<string[]>}
 */
async function textFiles(folder, signal) {
  signal.throwIfAborted();
  const files = [];
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    if (entry.isDirectory()) files.push(...(await textFiles(path, signal).catch(noneOf)));
    else if (entry.isFile() && READABLE.has(extname(entry.name).toLowerCase())) {
      files.push(...(await stat(path).then(({ size }) => (size <= LARGEST ? [path] : []), noneOf)));
    }
  }
  return files;
}

/**
 * Nothing of what cannot be read or has gone meanwhile: the rest is worth indexing all the same.
 * @param {NodeJS.ErrnoException} error
 * @returns {never[]}
 */
function noneOf(error) {
  if (error.code && ['EACCES', 'EPERM', 'ENOENT', 'EBUSY'].includes(error.code)) return [];
  throw error;
}
