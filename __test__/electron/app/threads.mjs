// Worker threads that share one ONNX Runtime, in Node as in Electron.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

const FILE = join(import.meta.dirname, 'worker.mjs');

/**
 * Eight workers at once, and how many copies of the ONNX Runtime library this process then has.
 * @param {string} model
 * @param {string[]} texts
 */
async function eightWorkers(model, texts) {
  const workers = Array.from({ length: 8 }, () => new Worker(FILE, { workerData: { task: 'exercise', model, texts } }));
  const answers = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
  return { answers, runtimes: loadedRuntimes() };
}

/** The files mapped as ONNX Runtime; unknown outside Linux. */
function loadedRuntimes() {
  if (process.platform !== 'linux') return undefined;
  const maps = readFileSync('/proc/self/maps', 'utf8').matchAll(/^\S+ r-xp .*\/(libonnxruntime[^/]*)$/gm);
  return [...maps].map(([, name]) => name);
}

/**
 * Terminates a worker in the middle of a batch, again and again, a few at once.
 * @param {string} model
 * @param {number} times
 */
async function terminateWorkers(model, times) {
  let [left, ended] = [times, 0];
  const terminateSome = async () => {
    while (left-- > 0) {
      const worker = new Worker(FILE, { workerData: { task: 'busy', model } });
      await once(worker, 'message');
      await new Promise((resolve) => setTimeout(resolve, Math.abs(left % 25)));
      await worker.terminate();
      ended += 1;
    }
  };
  await Promise.all([terminateSome(), terminateSome(), terminateSome()]);
  return ended;
}

export { eightWorkers, terminateWorkers };
