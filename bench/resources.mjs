// What this process holds: memory, open files, threads.

import { readdirSync } from 'node:fs';
import { median } from 'simple-statistics';

/** @typedef {{ rss: number, files: number, threads: number }} Resources */

/** @returns {Resources} Memory in MB. */
export function resources() {
  if (!globalThis.gc) throw new Error('Memory can only be compared after a collection: run node with --expose-gc');
  if (process.platform !== 'linux') throw new Error('Open files and threads are counted in /proc, which Linux has');
  globalThis.gc();
  const count = (/** @type {string} */ folder) => readdirSync(`/proc/self/${folder}`).length;
  return { rss: process.memoryUsage().rss / 1e6, files: count('fd'), threads: count('task') };
}

/**
 * The median of each.
 * @param {Resources[]} held
 * @returns {Resources}
 */
export function typical(held) {
  const of = (/** @type {keyof Resources} */ name) => median(held.map((one) => one[name]));
  return { rss: of('rss'), files: of('files'), threads: of('threads') };
}

/**
 * What grew beyond what is allowed, in words.
 * @param {Resources} before
 * @param {Resources} after
 * @returns {string[]}
 */
export function growth(before, after) {
  const found = [];
  if (after.rss > before.rss * 1.05)
    found.push(`memory grew from ${before.rss.toFixed(1)} to ${after.rss.toFixed(1)} MB`);
  if (after.files > before.files) found.push(`open files grew from ${String(before.files)} to ${String(after.files)}`);
  if (after.threads > before.threads)
    found.push(`threads grew from ${String(before.threads)} to ${String(after.threads)}`);
  return found;
}
