// Runs programs as a user would, in a process of their own.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export const ROOT = resolve(__dirname, '..', '..');

/** How many times as long as usual everything may take: builds that count or check are slow. */
export const SLOWNESS = Number(process.env['SENTENCE_EMBEDDER_TEST_SLOWNESS'] ?? 1);

interface Outcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs `node` with the given arguments and waits for its end. */
export function runNode(
  args: string[],
  options: {
    cwd?: string;
    input?: string;
    env?: NodeJS.ProcessEnv;
    timeoutMs?: number;
    uid?: number;
    gid?: number;
  } = {},
): Outcome {
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: options.cwd ?? ROOT,
    encoding: 'utf8',
    env: options.env ?? process.env,
    ...(options.input === undefined ? {} : { input: options.input }),
    timeout: (options.timeoutMs ?? 150_000) * SLOWNESS,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
  });
  if (error) throw error;
  return { status, signal, stdout, stderr };
}

/** Blocks this thread, as a host's long work or a breakpoint does. */
export function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Runs a program given as text. */
export const runScript = (script: string, options: { cwd?: string; module?: boolean } = {}): Outcome =>
  runNode([`--input-type=${options.module ? 'module' : 'commonjs'}`, '-'], { ...options, input: script });
