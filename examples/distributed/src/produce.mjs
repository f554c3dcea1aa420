// Queues documents in batches: node src/produce.mjs FILE, whose lines are JSON: { "id": "...", "text": "..." }

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { BATCH_SIZE, connect, JOB_OPTIONS, QUEUE } from './queue.mjs';

/** Batches that may wait: Redis holds the texts of these, and not of millions of documents. */
const MOST_WAITING = 1000;

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node src/produce.mjs FILE');
  process.exit(2);
}

const connection = connect();
const queue = new Queue(QUEUE, { connection, defaultJobOptions: JOB_OPTIONS });

/** @param {readonly import('./queue.mjs').Document[]} documents */
async function enqueue(documents) {
  while ((await queue.getWaitingCount()) >= MOST_WAITING) await sleep(500);
  // Named by its content: the same batch queued twice, as after a producer that was killed, is one job.
  const jobId = createHash('sha256').update(JSON.stringify(documents)).digest('hex');
  await queue.add('batch', { documents }, { jobId });
}

let [lines, batch] = [0, /** @type {import('./queue.mjs').Document[]} */ ([])];
for await (const line of createInterface({ input: createReadStream(file) })) {
  lines += 1;
  const { id, text } = JSON.parse(line);
  if (typeof id !== 'string' || typeof text !== 'string') {
    throw new TypeError(
      `Expected { "id": "...", "text": "..." } in line ${lines} of ${file} but found ${line.slice(0, 80)}`,
    );
  }
  batch.push({ id, text });
  if (batch.length === BATCH_SIZE) await enqueue(batch.splice(0));
}
if (batch.length > 0) await enqueue(batch);
console.log(`Queued ${lines} documents`);
await queue.close();
connection.disconnect();
