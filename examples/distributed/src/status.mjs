// How far the work is, and why batches failed: node src/status.mjs [--retry], which queues the failed ones again.

import { Queue } from 'bullmq';
import { connect, QUEUE } from './queue.mjs';

const connection = connect();
const queue = new Queue(QUEUE, { connection });
console.log(await queue.getJobCounts('waiting', 'active', 'delayed', 'failed'));
for (const { id, failedReason } of await queue.getFailed(0, 9)) console.log(`${id}: ${failedReason}`);
if (process.argv.includes('--retry')) await queue.retryJobs({ state: 'failed' });
await queue.close();
connection.disconnect();
