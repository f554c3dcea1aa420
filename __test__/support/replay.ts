// The failed batches of __test__/replay, and the command that tries them.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runNode } from './processes';

const FOLDER = join(ROOT, '__test__', 'replay');

export const replayFiles = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => join(FOLDER, name));

const CLI = join(ROOT, 'dist', 'cli.js');

/** Runs the command line of the package that was built last. */
export const cli = (...args: string[]): ReturnType<typeof runNode> => runNode([CLI, ...args]);

/** The same for work of many minutes. */
export const slowCli = (...args: string[]): ReturnType<typeof runNode> =>
  runNode([CLI, ...args], { timeoutMs: 30 * 60_000 });
