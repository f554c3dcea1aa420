// Worker threads: eight at once share one ONNX Runtime, and one may be terminated at any moment.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Embedder } from 'sentence-embedder';
import { modelFolder, texts } from './support/fixtures';
import { runNode, SLOWNESS } from './support/processes';

jest.setTimeout(240_000 * SLOWNESS);

const model = modelFolder('bert');

/** Calls a function of the programs that the Electron tests use too, in a Node of its own. */
function call(name: string, ...args: unknown[]): unknown {
  const file = pathToFileURL(join(__dirname, 'electron', 'app', 'threads.mjs')).href;
  const program = `import(${JSON.stringify(file)})
    .then((threads) => threads.${name}(...${JSON.stringify(args)}))
    .then((answer) => console.log(JSON.stringify(answer)));`;
  const { stdout, ...ending } = runNode(['--eval', program], { timeoutMs: 230_000 });
  expect(ending).toEqual({ status: 0, signal: null, stderr: '' });
  return JSON.parse(stdout);
}

test('eight at once', async () => {
  const embedder = await Embedder.load({ model, threads: 1 });
  const vectors = (await embedder.embedBatch(texts)).map((vector) => [...vector]);
  await embedder.close();
  const { answers, runtimes } = call('eightWorkers', model, texts) as { answers: object[]; runtimes?: string[] };
  expect(answers).toHaveLength(8);
  for (const answer of answers) {
    expect(answer).toMatchObject({ vectors, cancelled: 'ERR_EMBED_ABORTED', closed: 'ERR_EMBED_CLOSED' });
  }
  if (process.platform === 'linux') expect(runtimes).toEqual(['libonnxruntime.so.1']);
});

test('terminated in the middle of a batch, 200 times', () => {
  expect(call('terminateWorkers', model, 200)).toBe(200);
});
