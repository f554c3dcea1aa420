// Memory that runs out, in a load and in a run: right vectors, an error with a code, or a process that the system ends; never a wait
// without end. On Linux, which takes memory away from a process that is at work. MEMORY_STEPS=10 npm run test:node -- memory tries finer steps.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Embedder, type LoadOptions } from 'sentence-embedder';
import { modelFolder, temporaryFolder } from './support/fixtures';
import { miniLM } from './support/models';
import { ROOT, runNode } from './support/processes';

const STEPS = Number(process.env['MEMORY_STEPS'] ?? 1);
/** Longest that a process may take; the machine may be busy. */
const PATIENCE = 120_000;
/** Processes at once. */
const AT_ONCE = 3;

/** What a call may reject with where memory or threads ran out. */
const CODES = ['ERR_EMBED_INFERENCE', 'ERR_EMBED_INTERNAL', 'ERR_EMBED_RUNTIME_NOT_FOUND'];
/** How a process may end that no library can save: Rust's allocator, C++ and V8 abort, and a stack cannot grow. */
const SIGNALS = ['SIGABRT', 'SIGSEGV', 'SIGTRAP', 'SIGILL', 'SIGBUS'];
/** The same from glibc, which exits where a thread's own data has no memory. */
const GLIBC = 'cannot allocate memory for thread-local data';

/** Loads, and embeds the batch and then the query; what each came to goes out at once, as the process may not live to its end. */
const program = `
  const { spawnSync } = require('node:child_process');
  const { readFileSync, writeSync } = require('node:fs');
  const { Embedder } = require(${JSON.stringify(join(ROOT, 'dist'))});
  const { options, texts, megabytes, from } = JSON.parse(process.argv.at(-1));
  const limit = () => {
    const size = 1024 * /VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
    const { status, stderr } = spawnSync('prlimit', ['--pid', process.pid, '--as=' + Math.round(size + megabytes * 2 ** 20)]);
    if (status !== 0) throw new Error('prlimit failed: ' + stderr);
  };
  const tell = (call) => call.then(
    (value) => {
      const vectors = Array.isArray(value) ? value : value instanceof Float32Array ? [value] : [];
      writeSync(1, vectors.map((vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('hex')) + '\\n');
      return value;
    },
    (error) => void writeSync(1, error.code + '\\n'),
  );
  (async () => {
    Embedder.load({ model: '/nowhere', offline: true }).catch(() => {}); // has the addon in memory
    if (from === 'load') limit();
    const embedder = await tell(Embedder.load(options));
    if (!embedder) return;
    if (from === 'run') limit();
    await tell(embedder.embedBatch(texts));
    await tell(embedder.embedOne('a query'));
    await tell(embedder.close());
  })();\n`;

interface Plan {
  readonly options: LoadOptions;
  readonly texts: readonly string[];
  /** What the process may take beyond what it has. */
  readonly megabytes: number;
  /** What the limit is set before. */
  readonly from: 'load' | 'run';
}

/** How a process ended, and what its load, batch, query and close came to: a code or vectors. */
interface Ending {
  readonly megabytes: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: readonly string[];
  readonly complaint: string;
}

beforeAll(() => {
  if (spawnSync('prlimit', ['--version']).error) throw new Error('prlimit was not found: install util-linux');
});

function endingOf(plan: Plan, env: NodeJS.ProcessEnv): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--eval', program, '--', JSON.stringify(plan)], {
      env: { ...process.env, RUST_BACKTRACE: '0', ...env },
      timeout: PATIENCE,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    child.on('error', reject).on('close', (code, signal) => {
      const said = stdout.split('\n').slice(0, -1);
      resolve({ megabytes: plan.megabytes, code, signal, said, complaint: stderr.slice(0, 400) });
    });
  });
}

/** Lets a process run into each limit of a ladder. */
async function endings(plan: Omit<Plan, 'megabytes'>, most: number, env: NodeJS.ProcessEnv): Promise<Ending[]> {
  const ladder = Array.from({ length: 10 * STEPS + 1 }, (_, i) => (most * i) / (10 * STEPS));
  const ended: Ending[] = [];
  const worker = async (): Promise<void> => {
    for (let limit = ladder.shift(); limit !== undefined; limit = ladder.shift()) {
      ended.push(await endingOf({ ...plan, megabytes: limit }, env));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return ended;
}

const isCode = (said: string | undefined): boolean => said?.startsWith('ERR_') ?? false;

/** What is wrong with an ending: nothing if it is one of those that are allowed. */
function faults({ code, signal, said, complaint }: Ending, expected: readonly string[]): string[] {
  const wasEnded = SIGNALS.includes(signal ?? '') || (code === 127 && complaint.includes(GLIBC));
  const isWhole = code === 0 && (said.length === 4 || (said.length === 1 && isCode(said[0])));
  return [
    ...(wasEnded || isWhole ? [] : ['it ended in another way']),
    ...said.flatMap((line, call) =>
      line === expected[call] || CODES.includes(line) ? [] : [`call ${String(call)} is wrong`],
    ),
  ];
}

/** What the load, the batch, the query and the close come to where there is memory. */
async function expectedOf({ options, texts }: Pick<Plan, 'options' | 'texts'>): Promise<string[]> {
  const embedder = await Embedder.load(options);
  const hex = (vectors: Float32Array[]): string =>
    vectors.map((it) => Buffer.from(it.buffer, it.byteOffset, it.byteLength).toString('hex')).join();
  const said = ['', hex(await embedder.embedBatch(texts)), hex([await embedder.embedOne('a query')]), ''];
  await embedder.close();
  return said;
}

const cacheDir = temporaryFolder();
const long = (i: number): string => `${'seven words that need memory, time and '.repeat(100)}${String(i)}`;

describe.each<[string, LoadOptions, number]>([
  ['as published', { prepare: false }, 40],
  ['fp32', { precision: 'fp32' }, 12],
  ['int8', { precision: 'int8' }, 12],
])('%s', (_, how, most) => {
  const options = { model: miniLM(), maxTokens: 512, threads: 2, cacheDir, ...how };
  const texts = [1, 2, 3].map(long);

  test(
    'in a run: the call fails and the embedder goes on',
    async () => {
      const expected = await expectedOf({ options, texts });
      // Without memory that glibc reserves for each thread, a run has to ask the system.
      const ended = await endings({ options, texts, from: 'run' }, most, { MALLOC_ARENA_MAX: '1' });
      expect(ended.filter((ending) => faults(ending, expected).length > 0)).toEqual([]);
      const wentOn = ended.filter(({ said }) => said[1] === 'ERR_EMBED_INFERENCE' && said[2] === expected[2]);
      expect(wentOn).not.toEqual([]);
    },
    900_000 * STEPS,
  );
});

test.each([
  ['with a prepared copy', { prepare: true }],
  ['as published', { prepare: false }],
])(
  'in a load, %s',
  async (_, how) => {
    const plan = { options: { model: modelFolder('bert'), threads: 2, cacheDir, ...how }, texts: ['a text', 'b'] };
    const expected = await expectedOf(plan);
    const ended = await endings({ ...plan, from: 'load' }, 300, {});
    expect(ended.filter((ending) => faults(ending, expected).length > 0)).toEqual([]);
    expect(ended.filter(({ said }) => isCode(said[0]))).not.toEqual([]);
    expect(ended.filter(({ said }) => said[1] === expected[1])).not.toEqual([]);
  },
  900_000 * STEPS,
);

test('a result without memory is an error', () => {
  const program = `
    const { spawnSync } = require('node:child_process');
    const { readFileSync } = require('node:fs');
    const { truncateDimensions } = require(${JSON.stringify(join(ROOT, 'dist'))});
    const vector = new Float32Array(25e6).fill(1);
    truncateDimensions([vector.subarray(0, 64)], 32, { force: true });
    const size = 1024 * /VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
    spawnSync('prlimit', ['--pid', process.pid, '--as=' + (size + 50e6)]);
    try {
      truncateDimensions([vector], 24e6, { force: true });
    } catch (error) {
      console.log(error.code, truncateDimensions([vector.subarray(0, 64)], 32, { force: true })[0].length);
    }`;
  const { stdout, stderr } = runNode(['--eval', program]);
  expect({ stdout, stderr }).toEqual({ stdout: 'ERR_EMBED_INFERENCE 32\n', stderr: '' });
});
