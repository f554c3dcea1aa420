// The queue between producers and workers: its name, its Redis, and what happens to a batch that fails.

import { Redis } from 'ioredis';

/** @typedef {{ id: string, text: string }} Document */

export const QUEUE = 'embed';

/** Documents a job: seconds of work, so that little is done twice when a worker is lost. */
export const BATCH_SIZE = 32;

/** @type {import('bullmq').JobsOptions} */
export const JOB_OPTIONS = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 }, // a second, then twice as long each time
  removeOnComplete: true, // the vector in the store is the record
  removeOnFail: false, // stays to be looked at, and to be tried again
};

/** A connection that waits for a Redis that is away instead of failing. */
export const connect = () =>
  new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', { maxRetriesPerRequest: null });
