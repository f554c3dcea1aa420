/** Brings an index up to date with a folder: what is new or has changed is embedded, what is gone is taken out. */

import { relative, sep } from 'node:path';
import { Roles } from '../adapters/roles.js';
import type { Embedder } from '../embedder.js';
import { throwIfAborted } from '../errors.js';
import { Cutter } from './passages.js';
import { readText, type TextFile } from './read.js';
import type { Row, Store } from './store.js';
import { isPassedOver, walk, type Skipped } from './walk.js';

/** Passages that are embedded and written together: enough to keep the model busy, few enough to lose. */
const PASSAGES_TOGETHER = 256;

/** What a run is told of as it goes on. */
export interface Watch {
  /** So many bytes of files are to be embedded. */
  start(bytes: number): void;
  /** So many of these bytes, and so many passages, are done. */
  advance(bytes: number, passages: number): void;
}

/** What a run has done. */
export interface Indexed {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
  /** Passages that were embedded. */
  readonly passages: number;
  readonly skipped: readonly Skipped[];
  /** How many files were left out as they are of other kinds, by extension. */
  readonly others: ReadonlyMap<string, number>;
}

/** A file that is cut, and waits for its vectors. */
interface Cut {
  readonly bytes: number;
  readonly rows: readonly Row[];
}

/**
 * Brings `store` up to date with `folder`; both paths are absolute and go through no link. What a file has in the index is
 * replaced at once, so that a run that is cut off leaves whole files, and the next one goes on with the others.
 */
export async function indexFolder(
  folder: string,
  database: string,
  embedder: Embedder,
  store: Store,
  signal: AbortSignal,
  watch: Watch,
): Promise<Indexed> {
  const found = await walk(folder, database, signal);
  const known = await store.files();
  const { skipped } = found;
  const stale: { path: string; bytes: number }[] = [];
  const texts = new Set<string>();
  for (const path of found.files) {
    throwIfAborted(signal);
    const file = await readText(path);
    if ('reason' in file) {
      skipped.push(file);
      continue;
    }
    texts.add(path);
    // The text itself is read again when its turn comes: all of them may be more than the memory holds.
    const kept = known.get(path);
    if (kept?.hash !== file.hash || kept.doubled) stale.push({ path, bytes: file.bytes });
  }

  const unknown = skipped.filter((it) => it.unknown).map(({ path }) => path);
  const gone = [...known.keys()].filter(
    (path) =>
      isIn(folder, path) &&
      !texts.has(path) &&
      !unknown.some((it) => it === path || isIn(it, path)) &&
      // A hidden folder can be indexed by itself.
      !relative(folder, path).split(sep).some(isPassedOver),
  );
  // What is there twice would be replaced twice.
  const doubled = stale.filter(({ path }) => known.get(path)?.doubled).map(({ path }) => path);
  await store.remove([...gone, ...doubled]);

  const writer = new Writer(embedder, store, signal, watch);
  watch.start(stale.reduce((sum, { bytes }) => sum + bytes, 0));
  let [added, changed] = [0, 0];
  for (const { path } of stale) {
    throwIfAborted(signal);
    const file = await readText(path);
    if ('reason' in file) {
      // It has changed since it was looked at: what becomes of it is seen by the next run.
      skipped.push(file);
      continue;
    }
    await writer.take(file);
    if (known.has(path)) changed += 1;
    else added += 1;
  }
  await writer.flush();
  if (stale.length + gone.length > 0) await store.tidy();

  return {
    added,
    changed,
    removed: gone.length,
    unchanged: texts.size - stale.length,
    passages: writer.passages,
    skipped,
    others: found.others,
  };
}

/** Cuts files, and embeds and writes whole ones together. */
class Writer {
  /** Passages that were written. */
  passages = 0;
  readonly #embedder: Embedder;
  readonly #roles: Roles;
  readonly #store: Store;
  readonly #signal: AbortSignal;
  readonly #watch: Watch;
  #cutter: Cutter | undefined;
  #waiting: Cut[] = [];
  #bytes = 0;

  constructor(embedder: Embedder, store: Store, signal: AbortSignal, watch: Watch) {
    this.#embedder = embedder;
    this.#roles = new Roles(embedder);
    this.#store = store;
    this.#signal = signal;
    this.#watch = watch;
  }

  async take({ path, hash, text, bytes }: TextFile): Promise<void> {
    this.#cutter ??= await Cutter.for(this.#embedder, this.#roles.promptOf('document'));
    const passages = await this.#cutter.cut(text, this.#signal);
    this.#waiting.push({ bytes, rows: passages.map((passage, part) => ({ path, hash, part, ...passage })) });
    const waiting = this.#waiting.reduce((sum, { rows }) => sum + rows.length, 0);
    if (waiting >= PASSAGES_TOGETHER) await this.flush();
  }

  async flush(): Promise<void> {
    const rows = this.#waiting.flatMap((file) => file.rows);
    if (rows.length === 0) return;
    const bytes = this.#waiting.reduce((sum, file) => sum + file.bytes, 0);
    const { vectors } = await this.#roles.embed(
      'document',
      rows.map(({ text }) => text),
      {
        signal: this.#signal,
        onProgress: (done, total) => {
          this.#watch.advance(this.#bytes + (bytes * done) / total, this.passages + done);
        },
      },
    );
    await this.#store.replace(rows.map((row, at) => ({ ...row, vector: vectors[at] ?? new Float32Array() })));
    this.#waiting = [];
    this.#bytes += bytes;
    this.passages += rows.length;
  }
}

function isIn(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
