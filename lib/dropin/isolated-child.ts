/** The program of an isolated embedder's process: one native session, driven by messages. See isolated.ts. */

import { asEmbedError } from '../errors.js';
import { NativeEngine } from './in-process.js';
import { packed, type EmbedOrder, type Order, type Report } from './isolated-protocol.js';

let engine: NativeEngine | undefined;
const calls = new Map<number, AbortController>();

function obey(order: Order): void {
  switch (order.type) {
    case 'load':
      void load(order.config);
      break;
    case 'embed':
      void embed(order);
      break;
    case 'cancel':
      calls.get(order.id)?.abort();
      break;
    case 'exit':
      process.exit(0); // ends a load or a call that is under way
  }
}

async function load(config: Extract<Order, { type: 'load' }>['config']): Promise<void> {
  const { signal } = new AbortController();
  try {
    engine = await NativeEngine.start(config, {
      signal,
      tell: (...stage) => {
        report({ type: 'stage', stage });
      },
    });
    report({ type: 'loaded', space: engine.space });
  } catch (error) {
    report({ type: 'failed', error: packed(asEmbedError(error)) });
  }
}

async function embed({ id, texts, timeoutMs, priority }: EmbedOrder): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  calls.set(id, controller);
  try {
    const vectors = (await engine?.embed(texts, { signal, timeoutMs, priority })) ?? [];
    const dimension = vectors[0]?.length ?? 0;
    const data = new Float32Array(vectors.length * dimension); // a copy of rows would copy the buffer of all for each
    vectors.forEach((vector, i) => {
      data.set(vector, i * dimension);
    });
    report({ type: 'vectors', id, data });
  } catch (error) {
    report({ type: 'rejected', id, error: packed(asEmbedError(error)) });
  } finally {
    calls.delete(id);
  }
}

/** Electron's port, in a utility process. */
interface ParentPort {
  on(event: 'message', listener: (event: { data: Order }) => void): void;
  postMessage(report: Report): void;
}
const { parentPort } = process as { parentPort?: ParentPort };

function report(it: Report): void {
  if (parentPort) parentPort.postMessage(it);
  else process.send?.(it);
}

// Without its parent the process has nothing to do, and nothing to save: what it writes may be cut at any time. It must not wait
// for native work, which may be what has gone wrong. Electron ends its utility processes itself.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

// Terminals and service managers send signals to all processes of a program, and the parent may have calls to finish. Electron
// ends its utility processes by SIGTERM.
for (const signal of parentPort ? ['SIGINT'] : ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);

if (parentPort)
  parentPort.on('message', ({ data }) => { obey(data); }); // prettier-ignore
else process.on('message', obey);
