// The commands `index` and `search` as a user meets them, and what an index holds.

import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { connect } from '@lancedb/lancedb';
import { ROOT, runNode } from '../support/processes';

const CLI = join(ROOT, 'dist', 'cli.js');

export const indexFolder = (
  folder: string,
  database: string,
  model: string,
  ...more: string[]
): ReturnType<typeof runNode> => runNode([CLI, 'index', folder, '--db', database, '--model', model, ...more]);

/** Starts the same and does not wait; `node` are options of Node. */
export const startIndexing = (
  folder: string,
  database: string,
  model: string,
  ...node: string[]
): ChildProcessByStdio<null, null, Readable> =>
  spawn(process.execPath, [...node, CLI, 'index', folder, '--db', database, '--model', model], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });

/** Waits until something holds, or the process has ended without it. */
export async function until(child: ChildProcess, holds: () => boolean): Promise<void> {
  while (!holds()) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('The run has ended too early');
    await setTimeout(1);
  }
}

/** How many versions of its rows an index has. The first is the empty table, the second has the first files. */
export function versionsOf(database: string): number {
  const versions = join(database, 'passages.lance', '_versions');
  return existsSync(versions) ? readdirSync(versions).length : 0;
}

export const search = (
  question: string,
  database: string,
  model: string,
  ...more: string[]
): ReturnType<typeof runNode> => runNode([CLI, 'search', question, '--db', database, '--model', model, ...more]);

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

export interface Row {
  path: string;
  hash: string;
  part: number;
  line: number;
  text: string;
  vector: number[];
}

/** All that an index holds, in the order of its files. */
export async function rowsOf(database: string): Promise<Row[]> {
  const table = await (await connect(database)).openTable('passages');
  const rows = (await table.query().toArray()) as (Omit<Row, 'vector'> & { vector: Iterable<number> })[];
  table.close();
  return rows
    .map(({ path, hash, part, line, text, vector }) => ({ path, hash, part, line, text, vector: Array.from(vector) }))
    .sort((a, b) => (a.path === b.path ? a.part - b.part : a.path < b.path ? -1 : 1));
}
