// sentence-transformers in a Python process of its own, which times itself: neither HTTP nor JSON is part of its time.

import { BATCH_SIZE } from '../texts.mjs';
import { startPython } from './python-process.mjs';

/** @type {import('./index.mjs').Entry['start']} */
export async function start({ model, threads }) {
  const args = ['--model', model, '--threads', String(threads), '--batch-size', String(BATCH_SIZE)];
  const program = startPython('in_process.py', args, threads);
  await program.line();
  /** @param {string[]} texts */
  const ask = async (texts) => {
    program.child.stdin.write(`${JSON.stringify(texts)}\n`);
    return JSON.parse(await program.line());
  };
  return {
    embed: async (texts) => (await ask(texts)).vectors ?? [],
    timed: async (texts) => (await ask(texts)).ms,
    processes: program.child.pid === undefined ? [] : [program.child.pid],
    close: () => program.stop(),
  };
}
