// The app that the tests start in Electron: plays the scenario that its arguments name and prints what came out as JSON.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { app, BrowserWindow, utilityProcess } from 'electron';
import { IsolatedEmbedder } from 'sentence-embedder';
import { beginBatch, exercise } from './exercise.mjs';
import { outlive } from './isolated.mjs';
import { eightWorkers, terminateWorkers } from './threads.mjs';

const { scenario, model, texts, times } = JSON.parse(process.argv.at(-1) ?? '');
const FILE = join(import.meta.dirname, 'worker.mjs');
const order = { task: 'exercise', model, texts };

/** @param {unknown} result */
const finish = (result) => {
  process.stdout.write(JSON.stringify(result), () => {
    app.quit();
  });
};

/** @type {Record<string, () => unknown>} */
const SCENARIOS = {
  async main() {
    finish(await exercise(model, texts));
  },
  async worker() {
    const worker = new Worker(FILE, { workerData: order });
    finish((await once(worker, 'message'))[0]);
  },
  async utility() {
    const child = utilityProcess.fork(FILE);
    child.postMessage(order);
    const [answer] = await once(/** @type {any} */ (child), 'message');
    finish(answer);
  },
  async fork() {
    const child = fork(FILE);
    child.send(order);
    const [answer] = await once(child, 'message');
    child.disconnect();
    finish(answer);
  },
  async isolated() {
    finish(await outlive(model, texts));
  },
  async isolatedQuit() {
    const embedder = new IsolatedEmbedder({ modelName: model });
    await embedder.initialize();
    process.stdout.write(String(embedder.pid), () => {
      if (times === 0) app.quit();
      else process.kill(process.pid, 'SIGKILL');
    });
  },
  async eightWorkers() {
    finish(await eightWorkers(model, texts));
  },
  async terminate() {
    finish(await terminateWorkers(model, times));
  },
  async exitUtility() {
    finish(await endings(times, () => utilityProcess.fork(FILE)));
  },
  async quit() {
    await beginBatch(model);
    app.quit();
  },
  async exit() {
    await beginBatch(model);
    app.exit(7);
  },
  async processExit() {
    await beginBatch(model);
    process.exit(7);
  },
  async windowClosed() {
    const window = new BrowserWindow({ show: true });
    await window.loadURL('data:text/html,<p>busy</p>');
    await beginBatch(model);
    window.close(); // the last one: the app quits
  },
  async quitWithOthers() {
    const child = utilityProcess.fork(FILE);
    child.postMessage({ task: 'busy', model });
    const worker = new Worker(FILE, { workerData: { task: 'busy', model } });
    await Promise.all([once(/** @type {any} */ (child), 'message'), once(worker, 'message')]);
    app.quit();
  },
};

/**
 * The distinct exit codes of processes that exit in the middle of a batch, with their numbers.
 * @param {number} count
 * @param {() => Electron.UtilityProcess} start
 */
async function endings(count, start) {
  /** @type {Record<string, number>} */
  const codes = {};
  let left = count;
  const some = async () => {
    while (left-- > 0) {
      const child = start();
      child.postMessage({ task: 'exit', model, after: Math.abs(left % 25) });
      const [code] = await once(/** @type {any} */ (child), 'exit');
      codes[code] = (codes[code] ?? 0) + 1;
    }
  };
  await Promise.all([some(), some(), some()]);
  return codes;
}

app.disableHardwareAcceleration();
void app.whenReady().then(async () => {
  try {
    await SCENARIOS[scenario]?.();
  } catch (error) {
    console.error(error);
    app.exit(99);
  }
});
