// A worker thread, a utility process or a forked child: does what it is told and answers on whichever port it has.

import { parentPort, workerData } from 'node:worker_threads';
import { beginBatch, exercise } from './exercise.mjs';

/** Electron's port, which its types promise everywhere. */
const utilityPort = /** @type {Electron.ParentPort | undefined} */ (process.parentPort);

/** @param {unknown} message */
function answer(message) {
  if (utilityPort) utilityPort.postMessage(message);
  else if (parentPort) parentPort.postMessage(message);
  else process.send?.(message);
}

/** @param {{ task: string, model: string, texts: string[], after: number }} order */
async function obey({ task, model, texts, after }) {
  if (task === 'exercise') {
    answer(await exercise(model, texts));
  } else {
    await beginBatch(model);
    answer('busy');
    if (task === 'exit') setTimeout(() => process.exit(7), after);
  }
}

if (parentPort) void obey(workerData);
else if (utilityPort) utilityPort.once('message', ({ data }) => void obey(data));
else process.once('message', (/** @type {any} */ order) => void obey(order));
