// The code before in docs/migration.md runs as it stands, with transformers.js itself and with servers that speak as Ollama and
// the sidecar do, and what the page says of the vectors before and after is true.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProductionFactory, type FactoryConfig } from 'sentence-embedder';
import { startServer, type Server } from './dropin/support';
import { blocksOf, exampleApp, runExample } from './support/examples';
import { miniLM, transformersJs } from './support/models';

const app = exampleApp();
const blocks = blocksOf('docs/migration.md');
let server: Server | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** Runs what `name` says that an app has, after what else it needs, and gives the value of an expression that follows it. */
function before(name: string, needs: string, expression: string): number[][] {
  const block = blocks.find(({ compiledAs }) => compiledAs === `what an app with ${name} has`);
  if (!block) throw new Error(`docs/migration.md does not show what an app with ${name} has`);
  const source = `${needs}\n${block.source}\nconsole.log(JSON.stringify(${expression}));`;
  const { status, printed, stderr } = runExample(app, { ...block, source });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(printed.join('')) as number[][];
}

/** What an embedder of ours makes of the texts. */
async function after(config: FactoryConfig, texts: string[]): Promise<number[][]> {
  const embedder = createProductionFactory(config).create();
  if (!(await embedder.initialize())) throw embedder.lastError ?? new Error('no reason given');
  const vectors = await embedder.embed(texts);
  await embedder.shutdown();
  return vectors;
}

/** The largest difference of vectors, which are as many and as long, in any dimension. */
function difference(before: number[][], after: number[][]): number {
  expect(before.map(({ length }) => length)).toEqual(after.map(({ length }) => length));
  return Math.max(...before.flatMap((vector, i) => vector.map((value, j) => Math.abs(value - (after[i]?.[j] ?? NaN)))));
}

const SHORT = ['a cat', 'Der schnelle braune Fuchs springt über den faulen Hund.', 'naïve café, 2 × 3 = 6'];

test('transformers.js: the same vectors, but for texts beyond the limit of sentence-transformers', async () => {
  const long = 'all the words of a text that has more than two hundred and fifty-six tokens '.repeat(20);
  const texts = [...SHORT, long];
  const folder = join(app, 'models', 'Xenova', 'all-MiniLM-L6-v2');
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  for (const file of ['config.json', 'tokenizer.json', join('onnx', 'model.onnx')])
    symlinkSync(join(miniLM(), file), join(folder, file));
  const published = { tokenizer_class: 'BertTokenizer', model_max_length: 512, pad_token: '[PAD]' };
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(published));
  symlinkSync(transformersJs(), join(app, 'node_modules', '@huggingface'));
  const had = before(
    'transformers.js',
    `import { env, pipeline } from '@huggingface/transformers';
    Object.assign(env, { allowRemoteModels: false, localModelPath: 'models' });
    const texts = ${JSON.stringify(texts)};`,
    'vectors',
  );
  const has = await after({ modelName: miniLM(), normalizeVectors: true }, texts);
  expect(difference(had.slice(0, -1), has.slice(0, -1))).toBeLessThan(1e-5);
  expect(difference(had.slice(-1), has.slice(-1))).toBeGreaterThan(1e-3);
});

test('Ollama: behind the interface it gives the vectors that it gave', async () => {
  server = await startServer('ollama');
  const { url } = server;
  const had = before(
    'Ollama',
    `const { fetch: send } = globalThis;
    globalThis.fetch = (address, options) => send(address.replace('http://127.0.0.1:11434', '${url}'), options);
    const texts = ${JSON.stringify(SHORT)};`,
    'embeddings',
  );
  const has = await after({ kind: 'ollama', ollama: { model: 'bge-m3', url }, normalizeVectors: false }, SHORT);
  expect(difference(had, has)).toBeLessThan(1e-6);
});

test('a sidecar: rolled back to, it gives the vectors that it gave', async () => {
  server = await startServer('sidecar');
  const { url } = server;
  const had = before(
    'a sidecar',
    `const modelName = 'paraphrase-multilingual-mpnet-base-v2';
    class PythonSidecarService {
      async startSidecar() {
        while (!(await (await fetch('${url}/health')).json()).model_loaded) await new Promise((next) => setTimeout(next, 10));
      }
    }
    class PythonSidecarEmbedder {
      constructor(options) { this.options = options; }
      async embed(texts) {
        const { batchSize, normalizeVectors, timeout } = this.options;
        const body = JSON.stringify({ texts, normalize: normalizeVectors, pooling: 'mean', batch_size: batchSize });
        const response = await fetch('${url}/embed', { method: 'POST', body, signal: AbortSignal.timeout(timeout) });
        return (await response.json()).vectors;
      }
    }`,
    `await embedder.embed(${JSON.stringify(SHORT)})`,
  );
  const has = await after({ kind: 'sidecar', sidecar: { url }, normalizeVectors: true }, SHORT);
  expect(difference(had, has)).toBeLessThan(1e-6);
});
