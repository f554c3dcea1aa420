// A Python program as a child: started, read line by line, and ended.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { python } from '../where.mjs';

/**
 * @param {string} program file name in contenders/python
 * @param {string[]} args
 * @param {number} threads
 */
export function startPython(program, args, threads) {
  const script = fileURLToPath(new URL(`python/${program}`, import.meta.url));
  const child = spawn(python(), [script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Nothing is asked of the hub, and every library under torch keeps to the same number of threads.
    env: { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: String(threads), TOKENIZERS_PARALLELISM: 'true' },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** @type {Promise<never>} */
  const failure = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(new Error(`${program} ended with ${String(code ?? signal)}`));
    });
  });
  failure.catch(() => undefined); // it also ends when it is told to
  return {
    child,
    failure,
    /** The next line of its output. */
    async line() {
      const { value, done } = await Promise.race([lines.next(), failure]);
      if (done) throw new Error(`${program} closed its output`);
      return value;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
