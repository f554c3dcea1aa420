// One worker: takes batches from the queue, embeds them, stores their vectors, and leaves in order on SIGTERM.

import { UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { Embedder } from 'sentence-embedder';
import { connect, QUEUE } from './queue.mjs';
import { Store } from './store.mjs';

const { EMBED_MODEL: model, EMBED_PRECISION: precision, EMBED_THREADS = '1' } = process.env;

/** How long a worker may be silent before its batches are given to others. */
const LOCK_MS = Number(process.env.LOCK_MS ?? 30_000);
/** How long batches that are under way may take to end after SIGTERM: less than the supervisor waits before it kills. */
const GRACE_MS = Number(process.env.GRACE_MS ?? 20_000);

/** Errors after which this process is of no use: another must be started. */
const BROKEN = ['ERR_EMBED_INTERNAL', 'ERR_EMBED_CLOSED'];

const embedder = await Embedder.load({
  ...(model && { model }),
  ...(precision && { precision }),
  threads: Number(EMBED_THREADS),
});
const connection = connect();
const store = new Store(connection, embedder.info.fingerprint);
const leaving = new AbortController();

/**
 * @param {import('bullmq').Job<{ documents: import('./queue.mjs').Document[] }>} job
 * @param {string | undefined} token
 */
async function work(job, token) {
  const { documents } = job.data;
  try {
    const texts = documents.map(({ text }) => text);
    await store.put(documents, await embedder.embedBatch(texts, { signal: leaving.signal }));
  } catch (error) {
    const broken = BROKEN.includes(error.code);
    if (broken) leave(1);
    if (broken || leaving.signal.aborted) {
      await job.moveToWait(token); // given back: this is no attempt that failed
      throw new WaitingError();
    }
    if (error.code === 'ERR_EMBED_INVALID_ARGUMENT') throw new UnrecoverableError(error.message); // will never pass
    throw error; // tried again, later and later
  }
}

const worker = new Worker(QUEUE, work, {
  connection,
  concurrency: 2, // one batch computes while another is fetched or stored
  lockDuration: LOCK_MS,
  stalledInterval: LOCK_MS,
  maxStalledCount: 3, // a batch that takes its worker down with it is not passed round for ever
  maxStartedAttempts: 20,
});
worker.on('error', (error) => {
  console.error(error.message);
});
worker.on('failed', (job, error) => {
  console.error(`Batch ${job?.id}, attempt ${job?.attemptsMade}: ${error.message}`);
});

/** @type {Promise<void> | undefined} */
let left;

/** Takes no more batches, ends those under way or gives them back, and exits. @param {number} status */
function leave(status) {
  left ??= (async () => {
    const timer = setTimeout(() => {
      leaving.abort();
    }, GRACE_MS);
    await worker.close();
    clearTimeout(timer);
    await embedder.close();
    connection.disconnect();
    process.exitCode = status;
  })();
}
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => leave(0));

const { info } = embedder;
console.log(`${info.model} (${info.precision}, ${info.threads} threads) takes batches`);
