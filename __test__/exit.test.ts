// process.exit() at any moment of a load or of a batch: the exit code that was asked for, no signal, no word of a crash.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { modelFolder } from './support/fixtures';
import { ROOT, SLOWNESS } from './support/processes';

jest.setTimeout(240_000 * SLOWNESS);

const prelude = `
  const { Embedder } = require(${JSON.stringify(join(ROOT, 'dist'))});
  const [model, after] = [${JSON.stringify(modelFolder('bert'))}, Number(process.argv.at(-1))];
  const texts = Array.from({ length: 100000 }, (_, i) => 'text number ' + i);
  const exitSoon = () => setTimeout(() => process.exit(7), after);\n`;

/** Runs the program `times` times, a few at once, and gives each another number of milliseconds before its exit. */
async function outcomes(program: string, times: number): Promise<unknown[]> {
  const runs = Array.from({ length: times }, (_, i) => () => exitOf(prelude + program, i % 40));
  const ended: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let run = runs.pop(); run; run = runs.pop()) ended.push(await run());
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return ended;
}

function exitOf(program: string, after: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--eval', program, '--', String(after)]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
    child.on('error', reject).on('close', (code, signal) => {
      resolve({ code, signal, output });
    });
  });
}

const WELL = { code: 7, signal: null, output: '' };

test('in the middle of a load, 30 times', async () => {
  const program = `Embedder.load({ model }); Embedder.load({ model }); exitSoon();`;
  expect(await outcomes(program, 30)).toEqual(Array(30).fill(WELL));
});

test('in the middle of a batch, 100 times', async () => {
  const program = `Embedder.load({ model }).then((embedder) => { embedder.embedBatch(texts); exitSoon(); });`;
  expect(await outcomes(program, 100)).toEqual(Array(100).fill(WELL));
});
