// The program that this project replaces: a Python server, and a Node client with the habits of the host app's.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BATCH_SIZE } from '../texts.mjs';
import { startPython } from './python-process.mjs';

const TIMEOUT_MS = 30_000;
const RETRIES = 2;
const RETRY_PAUSE_MS = 1_000;
const HEALTH_PAUSE_MS = 100;

/** @type {import('./index.mjs').Entry['start']} */
export async function start({ model, threads }) {
  const port = await freePort();
  const args = ['--model', model, '--port', String(port), '--threads', String(threads)];
  const server = startPython('server.py', args, threads);
  const base = `http://127.0.0.1:${String(port)}`;
  await Promise.race([healthy(base), server.failure]);

  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  /** @param {string[]} texts */
  const embed = (texts) => {
    // One request at a time: the next waits for the last, whatever became of it.
    const answer = last.then(() => post(base, texts));
    last = answer.catch(() => undefined);
    return answer;
  };
  return {
    embed,
    processes: server.child.pid === undefined ? [] : [server.child.pid],
    close: () => server.stop(),
  };
}

/** Waits until the server has loaded its model. @param {string} base */
async function healthy(base) {
  for (;;) {
    try {
      const response = await fetch(`${base}/health`);
      const { model_loaded: loaded } = /** @type {{ model_loaded: boolean }} */ (await response.json());
      if (loaded) return;
    } catch {
      // It does not listen yet.
    }
    await sleep(HEALTH_PAUSE_MS);
  }
}

/**
 * @param {string} base
 * @param {string[]} texts
 * @returns {Promise<number[][]>}
 */
async function post(base, texts) {
  const body = JSON.stringify({ texts, normalize: true, pooling: 'mean', batch_size: BATCH_SIZE });
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await fetch(`${base}/embed`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.ok) return /** @type {{ vectors: number[][] }} */ (await response.json()).vectors;
      throw Object.assign(new Error(`The server answered ${String(response.status)}`), { status: response.status });
    } catch (error) {
      const status = /** @type {{ status?: number }} */ (error).status ?? 0;
      if (attempt === RETRIES || (status >= 400 && status < 500)) throw error;
      await sleep(RETRY_PAUSE_MS);
    }
  }
}

/** A port that nothing listens on. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, 'close');
  return port;
}
