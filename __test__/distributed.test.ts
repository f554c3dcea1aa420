// examples/distributed with a real Redis: workers that are killed and workers that are asked to leave, and a store that has
// every document once, with the vector that the embedder gives alone.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { Embedder } from 'sentence-embedder';
import { expectVectors } from './support/expectations';
import { temporaryFolder } from './support/fixtures';
import { miniLM } from './support/models';
import { ROOT, runNode } from './support/processes';

const EXAMPLE = join(ROOT, 'examples', 'distributed');
const PACKAGES = ['bullmq', 'ioredis'];
const app = temporaryFolder();
const processes: ChildProcess[] = [];
const passages = JSON.parse(readFileSync(join(ROOT, 'demo', 'passages.json'), 'utf8')) as { text: string }[];

let env: NodeJS.ProcessEnv;
let redis: Redis;
let queue: Queue;
let events: QueueEvents;
/** What closes them: a start that failed opened only some. */
const opened: (() => unknown)[] = [];

function start(program: string, args: string[], more: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(program, args, { cwd: app, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  return child;
}

/** A worker, once it takes batches. */
async function startWorker(more?: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const worker = start(process.execPath, ['src/worker.mjs'], more);
  const ended = once(worker, 'exit').then(() => {
    throw new Error('The worker ended before it took a batch');
  });
  await Promise.race([once(worker.stdout!, 'data'), ended]);
  return worker;
}

async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<[number | null, string | null]> {
  const ended = once(worker, 'exit') as Promise<[number | null, string | null]>;
  worker.kill(signal);
  return ended;
}

/** Queues that many documents and answers them. */
function produce(count: number, name: string): { id: string; text: string }[] {
  const documents = Array.from({ length: count }, (_, i) => ({
    id: `${name} ${String(i)}`,
    text: `${String(i)}: ${passages[i % passages.length]?.text ?? ''}`,
  }));
  writeFileSync(join(app, 'documents.jsonl'), documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
  const queued = runNode(['src/produce.mjs', 'documents.jsonl'], { cwd: app, env });
  expect(queued).toMatchObject({ status: 0, stdout: `Queued ${String(count)} documents\n`, stderr: '' });
  return documents;
}

/** The vectors that are stored, of however many models. */
async function stored(): Promise<Record<string, Buffer>> {
  const keys = await redis.keys('vectors:*');
  return Object.assign({}, ...(await Promise.all(keys.map((key) => redis.hgetallBuffer(key))))) as Record<
    string,
    Buffer
  >;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

const unfinished = async (): Promise<number> =>
  Object.values(await queue.getJobCounts('waiting', 'active', 'delayed', 'failed')).reduce(
    (sum, count) => sum + count,
    0,
  );

/** A port that is free. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

beforeAll(async () => {
  cpSync(join(EXAMPLE, 'src'), join(app, 'src'), { recursive: true });
  mkdirSync(join(app, 'node_modules'));
  symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
  for (const name of PACKAGES) symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  const port = String(await freePort());
  const url = `redis://127.0.0.1:${port}`;
  env = { ...process.env, REDIS_URL: url, EMBED_MODEL: miniLM() };
  const server = start('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', app]);
  await new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Error('The example needs a Redis: install it with "apt-get install redis-server"', { cause }));
    });
    server.stdout!.on('data', (data: Buffer) => {
      if (data.includes('Ready to accept connections')) resolve(undefined);
    });
  });
  redis = new Redis(url, { maxRetriesPerRequest: null });
  opened.push(() => {
    redis.disconnect();
  });
  queue = new Queue('embed', { connection: redis });
  opened.push(() => queue.close());
  events = new QueueEvents('embed', { connection: { url } });
  opened.push(() => events.close());
  await events.waitUntilReady();
});

afterAll(async () => {
  try {
    for (const close of opened.reverse()) await close();
  } finally {
    for (const child of processes) child.kill('SIGKILL');
  }
});

test('it asks for the packages that are tested here', () => {
  const dependencies = (folder: string, kind: string): Record<string, string> =>
    (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, Record<string, string>>)[kind] ??
    {};
  for (const name of PACKAGES) {
    expect(dependencies(EXAMPLE, 'dependencies')[name]).toBe(dependencies(ROOT, 'devDependencies')[name]);
  }
});

test('a worker is killed: the other does its batches too, and every document is stored once', async () => {
  const documents = produce(640, 'killed');
  produce(640, 'killed'); // what is queued twice is done once
  expect(await queue.getWaitingCount()).toBe(20);
  let stalled = 0;
  events.on('stalled', () => (stalled += 1));

  const soon = { LOCK_MS: '5000' };
  const [killed, other] = await Promise.all([startWorker(soon), startWorker(soon)]);
  await until(async () => Object.keys(await stored()).length >= 128);
  expect(await end(killed, 'SIGKILL')).toEqual([null, 'SIGKILL']);
  expect(await queue.getWaitingCount()).toBeGreaterThan(0); // in the middle of the work
  await until(async () => (await unfinished()) === 0);
  expect(await end(other, 'SIGTERM')).toEqual([0, null]);
  expect(stalled).toBeGreaterThan(0); // it had batches when it was killed

  const vectors = await stored();
  expect(Object.keys(vectors).sort()).toEqual(documents.map(({ id }) => id).sort());
  const embedder = await Embedder.load({ model: miniLM() });
  const alone = await embedder.embedBatch(documents.map(({ text }) => text));
  await embedder.close();
  const found = documents.map(({ id }) => new Float32Array(Uint8Array.from(vectors[id] ?? []).buffer));
  expectVectors(
    found,
    alone.map((vector) => Array.from(vector)),
    { max_abs: 1e-5, cosine: 0.99999 },
  );
});

test.each([
  ['ends the batches that it has', '20000'],
  ['gives them back when they would take too long', '0'],
])('SIGTERM: a worker %s', async (name, GRACE_MS) => {
  await redis.flushall();
  produce(640, name);
  const first = await startWorker({ GRACE_MS });
  await until(async () => Object.keys(await stored()).length > 0);
  expect(await end(first, 'SIGTERM')).toEqual([0, null]);
  const { waiting, ...others } = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed');
  expect(others).toEqual({ active: 0, delayed: 0, failed: 0 });
  expect(Object.keys(await stored())).toHaveLength(640 - 32 * waiting!); // no batch is half done
});

test('a batch that can never pass fails at once, and status tells why', async () => {
  await redis.flushall();
  await queue.add('batch', { documents: [{ id: 'wrong', text: 42 }] }, { jobId: 'wrong', attempts: 5 });
  const worker = await startWorker();
  await until(async () => (await queue.getFailedCount()) === 1);
  expect(await queue.getJob('wrong')).toMatchObject({ attemptsMade: 1 });
  const { stdout } = runNode(['src/status.mjs', '--retry'], { cwd: app, env });
  expect(stdout).toContain('wrong: Expected a string for texts[0] but received number 42');
  expect(await end(worker, 'SIGTERM')).toEqual([0, null]);
});
