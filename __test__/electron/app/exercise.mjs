// What every kind of process does with the package: load, embed, cancel, close, and use the results in every way.

import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { Embedder } from 'sentence-embedder';

const MANY = Array.from({ length: 50_000 }, (_, i) => `text number ${String(i)}`);

/**
 * Runs through an embedder's life and says what came out of it.
 * @param {string} model
 * @param {string[]} texts
 */
async function exercise(model, texts) {
  const embedder = await Embedder.load({ model, threads: 1 });
  const [one, many] = [await embedder.embedOne('a'), await embedder.embedBatch(texts)];
  const { tokenCounts } = await embedder.embedDetailed(texts);
  const vectors = many.map((vector) => [...vector]); // before anything is changed

  const abort = new AbortController();
  const cancelled = embedder.embedBatch(MANY, { signal: abort.signal }).catch(codeOf);
  setTimeout(() => {
    abort.abort();
  }, 20);

  const underWay = cancelled.then(() => {
    const call = embedder.embedBatch(MANY).catch(codeOf);
    return Promise.all([call, embedder.close()]);
  });
  const [closed] = await underWay;
  return {
    vectors,
    tokenCounts: [...tokenCounts],
    cancelled: await cancelled,
    closed,
    afterClose: await embedder.embedOne('a').catch(codeOf),
    usable: await usable(one),
  };
}

/**
 * Whether a result is memory like any other: read, written, cloned, handed to another thread, seen as bytes.
 * @param {Float32Array} vector
 */
async function usable(vector) {
  const [first] = vector;
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  const asBytes = bytes.readFloatLE(0) === first;
  const cloned = structuredClone(vector)[0] === first;
  vector[0] = 42;
  const { port1, port2 } = new MessageChannel();
  port2.ref();
  // @ts-expect-error the buffer is an ArrayBuffer: else postMessage throws
  port1.postMessage(vector, [vector.buffer]);
  const [message] = await once(port2, 'message');
  port1.close();
  return { asBytes, cloned, handedOver: (message.data ?? message)[0] === 42, givenAway: vector.length === 0 };
}

/** @param {{ code?: string }} error */
const codeOf = (error) => error.code;

/**
 * Loads a model and fills its queues, without end as far as a test is concerned.
 * @param {string} model
 */
async function beginBatch(model) {
  const embedder = await Embedder.load({ model });
  for (let i = 0; i < 4; i++) embedder.embedBatch(MANY).catch(() => undefined);
}

export { exercise, beginBatch };
