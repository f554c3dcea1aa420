/** `index`: makes the texts below a folder searchable by meaning, and keeps them so. */

import { realpathSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { alone } from '../search/alone.js';
import { indexFolder, type Indexed, type Watch } from '../search/indexing.js';
import { lanceDb } from '../search/lance.js';
import { keepNamedModel, withNamedModel } from '../search/named-model.js';
import { Store } from '../search/store.js';
import { EXTENSIONS, unreadable } from '../search/walk.js';
import { say, text, UsageError, type Command } from './command.js';
import { count, printable } from './format.js';
import { loadOptions, MODEL_OPTIONS, modelDetails, withModel } from './model-options.js';

/** Most of the files that were left out that are named one by one, unless all are asked for. */
const NAMED = 50;

export const index: Command = {
  name: 'index',
  usage: 'FOLDER --db PATH [--verbose] [--model MODEL] ...',
  summary: 'Make the texts in a folder searchable by meaning, or update that index',
  details: [
    'FOLDER  Folder to index, including its subfolders',
    '--db PATH  Where to keep the index: a folder, created if missing; one index can cover several folders',
    `--verbose  List every skipped file (default: the first ${String(NAMED)})`,
    ...modelDetails('the model and precision of the index, else the default model'),
  ],
  notes: [
    `Indexes UTF-8 files of up to 10 MB: ${EXTENSIONS.join(', ')}.`,
    'Skipped files are reported on stderr with the reason. Hidden files, hidden folders and node_modules are ignored.',
    'Symbolic links in FOLDER are not followed; FOLDER itself may be one.',
    '',
    'The index records its model, so later commands need not name it. It does not record --cache-dir: give that again.',
    '',
    'Run it again to update the index: only files whose content has changed are embedded, and deleted files are removed.',
    'Ctrl-C keeps what is done; the next run continues from there.',
    '',
    'Only one run at a time writes to an index: a second exits with status 2. A killed run does not block the next.',
    '',
    'Requires the package @lancedb/lancedb: npm install @lancedb/lancedb',
  ],
  examples: ['./notes --db ./notes.index'],
  options: { db: { type: 'string' }, verbose: { type: 'boolean' }, ...MODEL_OPTIONS },
  operands: 1,
  resumes: true,
  async run(input) {
    const [given] = input.operands;
    const db = text(input, 'db');
    if (given === undefined) throw new UsageError('Missing FOLDER: the folder to index');
    if (db === undefined) throw new UsageError('Missing --db PATH: where to keep the index');
    const [wanted, database] = [resolve(given), resolve(db)];
    const there = await stat(wanted).catch(() => undefined);
    if (!there?.isDirectory()) throw new UsageError(`Expected an existing folder for FOLDER but received ${wanted}`);
    await readdir(wanted).catch((cause: unknown) => {
      throw new Error(`FOLDER ${wanted} ${unreadable(cause, wanted)}`, { cause });
    });

    // Before the model, which may have to be fetched.
    const lance = lanceDb();
    await alone(database, async () => {
      const options = { ...(await withNamedModel(database, loadOptions(input))), signal: input.signal };
      const [folder, itself] = [onlyPath(wanted), onlyPath(database)];
      await withModel(options, async (embedder) => {
        const store = await Store.create(lance, database, embedder);
        await keepNamedModel(database, options);
        const started = performance.now();
        const bar = progressBar();
        const run = indexFolder(folder, itself, embedder, store, input.signal, bar);
        const indexed = await run.finally(() => {
          bar.end();
        });
        const most = input.options['verbose'] === true ? Infinity : NAMED;
        for (const line of leftOut(indexed, most)) process.stderr.write(`${printable(line)}\n`);
        for (const line of done(indexed, (performance.now() - started) / 1000)) say(line);
      });
    });
  },
};

/** The one path of a folder here, by whichever link and in whatever case it is named. */
function onlyPath(path: string): string {
  // The native function alone knows the case that is on the disk, but also renames drives of Windows.
  const [followed, native] = [realpathSync(path), realpathSync.native(path)];
  return native.toLowerCase() === followed.toLowerCase() ? native : followed;
}

/** Keeps to terminals: a log gets the result alone. */
function progressBar(): Watch & { end: () => void } {
  const bar = new SingleBar({
    format: '{bar} {percentage}%  {passages} passages  {speed}/s  {eta_formatted} left',
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = 0;
  return {
    start: (bytes) => {
      started = performance.now();
      bar.start(bytes, 0, { passages: 0, speed: 0 });
    },
    advance: (bytes, passages) => {
      const speed = Math.round((passages * 1000) / (performance.now() - started));
      bar.update(bytes, { passages, speed });
    },
    end: () => {
      bar.stop();
    },
  };
}

function leftOut({ skipped, others }: Indexed, most: number): string[] {
  const lines = skipped.slice(0, most).map(({ path, reason }) => `Skipped ${path}: ${reason}`);
  if (skipped.length > most) {
    lines.push(`Skipped ${count(skipped.length - most, 'more file')}: --verbose lists them all`);
  }
  const kinds = Array.from(others).sort(([, a], [, b]) => b - a);
  if (kinds.length > 0) {
    const sum = kinds.reduce((total, [, files]) => total + files, 0);
    const list = kinds.map(([kind, files]) => `${kind} ${String(files)}`).join(', ');
    lines.push(`Skipped ${count(sum, 'file')} of other types: ${list}`);
  }
  return lines;
}

function done({ added, changed, removed, unchanged, passages }: Indexed, seconds: number): string[] {
  return [
    `${count(added + changed + unchanged, 'file')}: ${String(added)} added, ${String(changed)} changed, ` +
      `${String(removed)} removed, ${String(unchanged)} unchanged`,
    `${count(passages, 'passage')} embedded in ${seconds.toFixed(1)} s`,
  ];
}
