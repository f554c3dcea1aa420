// An isolated embedder in the main process: where its process is, and what becomes of it and of the app when it crashes.

import { app } from 'electron';
import { InProcessEmbedder, IsolatedEmbedder } from 'sentence-embedder';

/**
 * Embeds, kills the process twice, and says what was seen.
 * @param {string} model
 * @param {string[]} texts
 */
async function outlive(model, texts) {
  /** @type {number[]} */
  const restarts = [];
  const embedder = new IsolatedEmbedder({
    modelName: model,
    normalizeVectors: false,
    load: { threads: 1 },
    onEvent: (event) => {
      if (event.type === 'restart') restarts.push(event.attempt);
    },
  });
  if (!(await embedder.initialize())) throw embedder.lastError ?? new Error('no reason');
  const [pids, types] = [new Set(), /** @type {string[]} */ ([])];
  const look = () => {
    pids.add(embedder.pid);
    types.push(app.getAppMetrics().find(({ pid }) => pid === embedder.pid)?.type ?? 'none');
  };
  look();
  for (const signal of /** @type {const} */ (['SIGSEGV', 'SIGKILL'])) {
    const call = embedder.embed(texts);
    setImmediate(() => process.kill(embedder.pid ?? 0, signal));
    await call;
    await new Promise((resolve) => setTimeout(resolve, 300));
    await embedder.embed(['after it']);
    look();
  }
  const vectors = await embedder.embed(texts);
  const { pid = 0 } = embedder;
  await embedder.shutdown();
  const wrong = new IsolatedEmbedder({ modelName: model, load: { threads: 1000 } });
  await wrong.initialize();
  const inProcess = new InProcessEmbedder({ modelName: model, normalizeVectors: false, load: { threads: 1 } });
  await inProcess.initialize();
  const here = await inProcess.embed(texts);
  await inProcess.shutdown();
  return { vectors, here, types, pids: pids.size, restarts, wrong: wrong.lastError?.code, left: isAlive(pid) };
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export { outlive };
