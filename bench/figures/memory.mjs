// Memory of a contender: of the Node process that holds it or speaks with it, and of the processes that it started.

import { readFileSync } from 'node:fs';

const KIB_PER_MIB = 1024;

/**
 * Sums in MiB; null where the system does not tell (only Linux does).
 * @param {readonly number[]} children
 * @returns {{ residentMiB: number, anonymousMiB: number, peakMiB: number } | null}
 */
export function memory(children) {
  if (process.platform !== 'linux') return null;
  const sum = { residentMiB: 0, anonymousMiB: 0, peakMiB: 0 };
  for (const id of [process.pid, ...children]) {
    sum.residentMiB += field(id, 'status', 'VmRSS');
    sum.peakMiB += field(id, 'status', 'VmHWM');
    sum.anonymousMiB += field(id, 'smaps_rollup', 'Anonymous');
  }
  return sum;
}

/**
 * @param {number} id
 * @param {string} file
 * @param {string} name
 */
function field(id, file, name) {
  const text = readFileSync(`/proc/${String(id)}/${file}`, 'utf8');
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  return Number(found?.[1] ?? NaN) / KIB_PER_MIB;
}
