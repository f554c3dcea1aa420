// A worker thread, a utility process or a forked child: does what it is told and answers on whichever port it has.

const { parentPort, workerData } = require('node:worker_threads');
const { beginBatch, exercise } = require('./exercise.cjs');

const port = process.parentPort ?? parentPort;
const answer = (/** @type {unknown} */ message) => (port ? port.postMessage(message) : process.send?.(message));

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

if (workerData) void obey(workerData);
else if (process.parentPort) process.parentPort.once('message', ({ data }) => void obey(data));
else process.once('message', (/** @type {any} */ order) => void obey(order));
