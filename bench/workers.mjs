// What a second worker of examples/distributed brings: the same documents with one worker, with two, and with one of two threads.
// npm run bench:workers -- [--rounds 5] [--documents 960] [--model FOLDER], with a redis-server installed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { median } from 'simple-statistics';
import { chunks } from './texts.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    documents: { type: 'string', default: '960' },
    model: { type: 'string', default: '.cache/models/all-MiniLM-L6-v2' },
    port: { type: 'string', default: '7412' },
  },
});
const ROOT = resolve(import.meta.dirname, '..');
const WAYS = [
  { name: '1 worker of 1 thread', workers: 1, threads: '1' },
  { name: '2 workers of 1 thread', workers: 2, threads: '1' },
  { name: '1 worker of 2 threads', workers: 1, threads: '2' },
];

const app = mkdtempSync(join(tmpdir(), 'sentence-embedder-workers-'));
cpSync(join(ROOT, 'examples', 'distributed', 'src'), join(app, 'src'), { recursive: true });
mkdirSync(join(app, 'node_modules'));
symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
for (const name of ['bullmq', 'ioredis'])
  symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
const total = Number(values.documents);
const prose = chunks(200, 480);
const documents = Array.from({ length: total }, (_, i) => ({ id: String(i), text: prose[i % prose.length] }));
writeFileSync(join(app, 'documents.jsonl'), documents.map((document) => `${JSON.stringify(document)}\n`).join(''));

const server = spawn('redis-server', ['--port', values.port, '--save', '', '--dir', app], { stdio: 'ignore' });
const redis = new Redis(`redis://127.0.0.1:${values.port}`, { maxRetriesPerRequest: null });
redis.on('error', () => undefined); // until the server is there

/** Seconds that a process has computed. @param {number | undefined} pid */
function computed(pid) {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100; // in user and in system mode, in hundredths
}

/**
 * Documents a second, from the first that is queued to the last that is stored, and a second that the workers computed:
 * on a machine that does something else as well, only the latter says something.
 * @param {(typeof WAYS)[number]} way
 * @returns {Promise<[number, number]>}
 */
async function turn(way) {
  await redis.flushall();
  const env = {
    ...process.env,
    REDIS_URL: `redis://127.0.0.1:${values.port}`,
    EMBED_MODEL: resolve(values.model),
    EMBED_THREADS: way.threads,
  };
  const workers = Array.from({ length: way.workers }, () =>
    spawn(process.execPath, ['src/worker.mjs'], { cwd: app, env, stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  await Promise.all(workers.map((worker) => once(worker.stdout, 'data')));
  const seconds = () => workers.reduce((sum, { pid }) => sum + computed(pid), 0);
  const [started, before] = [performance.now(), seconds()];
  spawn(process.execPath, ['src/produce.mjs', 'documents.jsonl'], { cwd: app, env, stdio: 'ignore' });
  const stored = async () => {
    const [key] = await redis.keys('vectors:*');
    return key ? redis.hlen(key) : 0;
  };
  while ((await stored()) < total) await sleep(20);
  const [elapsed, spent] = [(performance.now() - started) / 1000, seconds() - before];
  await Promise.all(
    workers.map((worker) => {
      worker.kill('SIGTERM');
      return once(worker, 'exit');
    }),
  );
  return [total / elapsed, total / spent];
}

/** @type {[number, number][][]} */
const rounds = [];
for (let round = 0; round < Number(values.rounds); round++) {
  /** @type {[number, number][]} */
  const speeds = [];
  for (const way of WAYS) speeds.push(await turn(way));
  rounds.push(speeds);
  console.error(speeds.map((two) => two.map((speed) => speed.toFixed(1)).join('/')).join('  '));
}
for (const [at, { name }] of WAYS.entries()) {
  for (const [kind, unit] of ['a second', 'a second of processor time'].entries()) {
    const ratios = rounds.map((round) => (round[at]?.[kind] ?? NaN) / (round[0]?.[kind] ?? NaN));
    const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
    const speed = median(rounds.map((round) => round[at]?.[kind] ?? NaN)).toFixed(1);
    console.log(`${name}: ${speed} documents ${unit}, ratio ${median(ratios).toFixed(2)} (${range})`);
  }
}
redis.disconnect();
server.kill();
await once(server, 'exit');
rmSync(app, { recursive: true });
