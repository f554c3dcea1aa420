/** The passages of files and their vectors in LanceDB, a folder on disk with the stamp of the model beside them. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Table } from '@lancedb/lancedb';
import type { Embedder } from '../embedder.js';
import { embedError } from '../errors.js';
import { checkIndexStamp, writeIndexStamp, type IndexCheck } from '../stamps.js';
import type { Lance } from './lance.js';

const TABLE = 'passages';

/** Paths in one condition: it is a text that LanceDB parses. */
const PATHS_TOGETHER = 500;

/** A passage as it is kept. */
export interface Row {
  /** The file's absolute path. */
  readonly path: string;
  /** SHA-256 of the file's bytes. */
  readonly hash: string;
  /** Which passage of the file, from 0. */
  readonly part: number;
  /** The number of its first line, from 1. */
  readonly line: number;
  readonly text: string;
}

/** What is kept of a file. */
export interface Kept {
  readonly hash: string;
  /** Whether passages are there twice: two runs at once do that on a file system without locks. */
  readonly doubled: boolean;
}

/** A passage that was found, and the cosine of its vector and the question's. */
export type FoundRow = Pick<Row, 'path' | 'line' | 'text'> & { readonly score: number };

/** Refuses a folder that has no index. LanceDB is not asked: it writes to every folder that it connects to. */
export function expectIndex(folder: string): void {
  if (existsSync(join(folder, `${TABLE}.lance`))) return;
  const advice = `make one with "npx sentence-embedder index FOLDER --db ${folder}"`;
  throw embedError('ERR_EMBED_INVALID_ARGUMENT', `Expected an index for --db but ${folder} has none: ${advice}`);
}

/** An index that is open. */
export class Store {
  readonly #table: Table;
  readonly #folder: string;

  private constructor(table: Table, folder: string) {
    this.#table = table;
    this.#folder = folder;
  }

  /** Opens the index in a folder, which is made if it is not there. Refuses one that another model has made. */
  static async create({ connect, makeArrowTable }: Lance, folder: string, embedder: Embedder): Promise<Store> {
    const database = await connect(folder);
    const names = await database.tableNames();
    const table = names.includes(TABLE)
      ? await readable(folder, () => database.openTable(TABLE))
      : await database.createEmptyTable(TABLE, makeArrowTable([sample(embedder.info.dimension)]).schema);
    const check = await checkIndexStamp(folder, embedder);
    const { verdict } = check;
    if (verdict !== 'match') {
      if (verdict !== 'compatible' && (await table.countRows()) > 0) throw otherModel(folder, check);
      if (verdict === 'reindex') {
        // It is empty, but has room for vectors of another length.
        await database.dropTable(TABLE);
        await writeIndexStamp(folder, embedder);
        return Store.create({ connect, makeArrowTable }, folder, embedder);
      }
      await writeIndexStamp(folder, embedder);
    }
    return new Store(table, folder);
  }

  /** Opens the index in a folder, which must be there ({@link expectIndex}) and of this model. */
  static async open({ connect }: Lance, folder: string, embedder: Embedder): Promise<Store> {
    const check = await checkIndexStamp(folder, embedder);
    if (check.verdict !== 'match' && check.verdict !== 'compatible') throw otherModel(folder, check);
    return new Store(await readable(folder, async () => (await connect(folder)).openTable(TABLE)), folder);
  }

  /** Every file that is in the index, by its path. */
  async files(): Promise<Map<string, Kept>> {
    const files = new Map<string, Kept & { rows: number; parts: number }>();
    await readable(this.#folder, async () => {
      for await (const batch of this.#table.query().select(['path', 'hash', 'part'])) {
        for (const row of batch) {
          const { path, hash, part } = row as unknown as Row;
          const { rows, parts } = files.get(path) ?? { rows: 0, parts: 0 };
          const next = { rows: rows + 1, parts: Math.max(parts, part + 1) };
          files.set(path, { hash, doubled: next.rows > next.parts, ...next });
        }
      }
    });
    return files;
  }

  /** Puts files in the place of what was there of them: all of it at once or, if that fails, nothing. */
  async replace(rows: readonly (Row & { readonly vector: Float32Array })[]): Promise<void> {
    const paths = new Set(rows.map(({ path }) => path));
    await this.#table
      .mergeInsert(['path', 'part'])
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .whenNotMatchedBySourceDelete({ where: isOneOf(paths) })
      .execute(rows.map((row) => ({ ...row })));
  }

  /** Takes files out. */
  async remove(paths: readonly string[]): Promise<void> {
    for (let at = 0; at < paths.length; at += PATHS_TOGETHER) {
      await this.#table.delete(isOneOf(new Set(paths.slice(at, at + PATHS_TOGETHER))));
    }
  }

  /** Joins what many writes have left in small files. */
  async tidy(): Promise<void> {
    await this.#table.optimize();
  }

  /** The passages that are nearest to a vector, best first. Every one is compared. */
  async nearest(vector: Float32Array, limit: number): Promise<FoundRow[]> {
    const query = this.#table.query().nearestTo(vector).distanceType('cosine');
    const select = query.select(['path', 'line', 'text', '_distance']).limit(limit);
    const rows = (await readable(this.#folder, () => select.toArray())) as (Row & { _distance: number })[];
    return rows.map(({ path, line, text, _distance }) => ({ path, line, score: 1 - _distance, text }));
  }
}

/** A row as all are, for their types. */
function sample(dimension: number): Record<string, unknown> {
  return { path: '', hash: '', part: 0, line: 0, text: '', vector: new Array<number>(dimension).fill(0) };
}

function isOneOf(paths: ReadonlySet<string>): string {
  return `path IN (${Array.from(paths, (path) => `'${path.replaceAll("'", "''")}'`).join(', ')})`;
}

/** Does `work`, in which LanceDB may meet files that are damaged or missing. */
async function readable<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const message = `Expected an index that can be read for --db, but ${folder} cannot: if it is damaged, delete it and run "index" again`;
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', message, { cause });
  }
}

function otherModel(folder: string, { verdict, reason }: IndexCheck): Error {
  const message =
    verdict === 'missing'
      ? `Expected an index that says which model it was made with for --db, but ${folder} does not: delete it and run "index" again`
      : `Expected an index made with this model for --db, but ${folder} is not. ${reason}. ` +
        "Name the index's model with --model and --precision, or choose another folder for --db";
  return embedError('ERR_EMBED_INVALID_ARGUMENT', message);
}
