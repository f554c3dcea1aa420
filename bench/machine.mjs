// The machine that a run is on: what it is called and how fast it multiplies at most.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { python } from './where.mjs';

const TOLD_FLAGS = [
  'avx2',
  'avx512f',
  'avx512_vnni',
  'avx_vnni',
  'avx512_bf16',
  'amx_int8',
  'amx_bf16',
  'asimddp',
  'i8mm',
];

/** What is worth knowing about this machine, and nothing that names it. */
export function machine() {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1]?.trim().split(' '));
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    instructions: TOLD_FLAGS.filter((flag) => flags.has(flag)),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().replace(/-.*/, '')} ${process.arch}`,
    node: process.version,
    // Above 0 where something else was running when the run began.
    loadBefore: loadavg()[0] ?? NaN,
  };
}

/**
 * @typedef {{ gops: number, by: string, shape: number[] }} Product
 * @typedef {{ threads: number, sgemm: Product, igemm: Product }} Peak
 */

/**
 * The fastest products of matrices: see peak.py.
 * @param {number} threads
 * @param {{ hidden_size: number, intermediate_size: number }} model
 * @returns {Peak}
 */
export function peak(threads, { hidden_size: hidden, intermediate_size: intermediate }) {
  const script = fileURLToPath(new URL('peak.py', import.meta.url));
  const args = [script, '--threads', threads, '--hidden', hidden, '--intermediate', intermediate].map(String);
  const { stdout, stderr, status, error } = spawnSync(python(), args, {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`peak.py failed: ${stderr}`);
  const { sgemm, igemm } = JSON.parse(stdout);
  return { threads, sgemm, igemm };
}
