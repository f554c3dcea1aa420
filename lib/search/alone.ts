/** One run at a time writes to an index: a file in it says which one, and is kept fresh for as long as that run lives. */

import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { listen } from '../abort.js';
import { codeOf, embedError, endedBy, throwIfAborted } from '../errors.js';

const FILE = '.run.json';

const FRESHENED_MS = 1_000;

/** A file that was not freshened for so long is of a run that was killed: its process number may be another's by now. */
const FRESH_MS = 15_000;

/** Longer than it takes from finding a run dead to having written one's own file. */
const SETTLED_MS = 200;

/** What the file says. */
interface Run {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
}

/**
 * Does `work` as the only run on the index in a folder, which is made if it is not there; refuses while there is another.
 * The signal for `work` is also aborted if another run takes the index over, as it may when this one was stopped for long.
 */
export async function alone(
  folder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const run: Run = { id: randomUUID(), pid: process.pid, host: hostname() };
  const file = join(folder, FILE);
  await begin(folder, file, run);
  const ended = new AbortController();
  const stopListening = listen(signal, () => {
    ended.abort(signal.reason);
  });
  const freshen = async (): Promise<void> => {
    const there = await runIn(file);
    if (!there || there.id === run.id) await utimes(file, new Date(), new Date());
    else ended.abort(embedError('ERR_EMBED_INVALID_ARGUMENT', `Another run has taken over the index in ${folder}`));
  };
  const timer = setInterval(() => {
    // Once is no harm, such as when the system has no more files to open.
    freshen().catch(() => undefined);
  }, FRESHENED_MS);
  try {
    throwIfAborted(signal);
    await work(ended.signal);
  } catch (error) {
    // Calls of the embedder tell that they were aborted, and not why.
    throw codeOf(error) === 'ERR_EMBED_ABORTED' ? endedBy(ended.signal) : error;
  } finally {
    clearInterval(timer);
    stopListening();
    if ((await runIn(file))?.id === run.id) await rm(file, { force: true });
  }
}

/** Writes the file, in the place of that of a dead run if there is one. */
async function begin(folder: string, file: string, run: Run): Promise<void> {
  if (await written(folder, file, run)) return;
  const other = await runIn(file);
  if (await lives(other, file)) throw atWork(folder, other);
  await rm(file, { force: true });
  await written(folder, file, run);
  // Another may have found it dead as well, and removed what is written here: who wrote last goes on.
  await setTimeout(SETTLED_MS);
  const last = await runIn(file);
  if (last?.id !== run.id) throw atWork(folder, last);
}

/** Whether the file could be written, as there was none. */
async function written(folder: string, file: string, run: Run): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(file, `${JSON.stringify(run)}\n`, { flag: 'wx' });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(file).catch(() => undefined))) return false;
    const message = `Expected a folder for --db that can be written but received ${folder}`;
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', message, { cause });
  }
}

/** The run that the file names; nothing if there is none, or it is being written. */
async function runIn(file: string): Promise<Run | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Run;
  } catch {
    return undefined;
  }
}

async function lives(run: Run | undefined, file: string): Promise<boolean> {
  const there = await stat(file).catch(() => undefined);
  // A clock that was set back must not keep a dead run alive.
  if (!there || Math.abs(Date.now() - there.mtimeMs) > FRESH_MS) return false;
  // Processes of another machine or container are not seen from here.
  if (run?.host !== hostname()) return true;
  // This process has none yet: one of the same number ran before, as in a container that was started again.
  if (run.pid === process.pid) return false;
  try {
    return process.kill(run.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function atWork(folder: string, run: Run | undefined): Error {
  const who = run ? ` (process ${String(run.pid)} on ${run.host})` : '';
  const message =
    `Expected an index for --db that nothing else writes to, but another run${who} is at work on ${folder}. ` +
    'Wait until it has ended, or take another folder for --db';
  return embedError('ERR_EMBED_INVALID_ARGUMENT', message);
}
