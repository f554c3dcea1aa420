// Every kind of embedder keeps the contract that host apps test against; so does one that vitest runs.

import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createProductionFactory,
  createTestFactory,
  CustomEmbedder,
  InProcessEmbedder,
  IsolatedEmbedder,
  OllamaEmbedder,
  SidecarEmbedder,
} from 'sentence-embedder';
import { describeIEmbedder, hashVector, TestEmbedder } from 'sentence-embedder/testing';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { ROOT, runScript, SLOWNESS } from '../support/processes';
import { freePort, serverScript, startServer, type Server } from './support';

let sidecar: Server;
let ollama: Server;

beforeAll(async () => {
  [sidecar, ollama] = await Promise.all([startServer('sidecar'), startServer('ollama')]);
});
afterAll(async () => {
  await Promise.all([sidecar.stop(), ollama.stop()]);
});

describeIEmbedder(() => new InProcessEmbedder({ modelName: modelFolder('xlmr') }), { name: 'native, tiny XLM-R' });
describeIEmbedder(() => new InProcessEmbedder({ modelName: miniLM(), timeout: 30_000 * SLOWNESS }), {
  name: 'native, all-MiniLM-L6-v2',
});
describeIEmbedder(
  () => new InProcessEmbedder({ modelName: modelFolder('mpnet'), normalizeVectors: false, autoStart: false }),
  {
    name: 'native, not normalised, started by the first call',
    normalized: false,
  },
);
describeIEmbedder(() => new IsolatedEmbedder({ modelName: modelFolder('xlmr') }), { name: 'isolated' });
describeIEmbedder(() => new TestEmbedder({ dimension: 33 }), { name: 'test' });
describeIEmbedder(() => createTestFactory().create(), { name: 'test, from its factory' });
describeIEmbedder(() => new SidecarEmbedder({ sidecar: { url: sidecar.url } }), { name: 'sidecar' });
describeIEmbedder(
  async () => {
    const port = String(await freePort());
    const command = { file: process.execPath, args: [serverScript('sidecar'), '--port', port] };
    return new SidecarEmbedder({ sidecar: { url: `http://127.0.0.1:${port}`, command } });
  },
  { name: 'sidecar, started by the embedder' },
);
describeIEmbedder(() => new OllamaEmbedder({ modelName: 'bge-m3', ollama: { url: `${ollama.url}/` } }), {
  name: 'ollama',
});
describeIEmbedder(
  () => {
    const embed = (texts: readonly string[]): Promise<number[][]> =>
      Promise.resolve(texts.map((text) => Array.from(hashVector(text, 8))));
    return new CustomEmbedder({ custom: { embed, fingerprint: 'mine 1' } });
  },
  { name: 'custom' },
);
describeIEmbedder(
  () =>
    createProductionFactory({
      modelName: '/nowhere',
      fallback: ['ollama', 'test'],
      ollama: { url: ollama.url, model: 'bge-m3' },
    }).create(),
  { name: 'fallback' },
);

describe('the contract', () => {
  const app = temporaryFolder();

  /** Runs the contract over an embedder with a defect, in a runner of its own. */
  const run = (runner: 'jest' | 'vitest', change: string): { status: number | null; output: string } => {
    const folder = join(app, `${runner}-${String(change.length)}`);
    mkdirSync(join(folder, 'node_modules'), { recursive: true });
    symlinkSync(ROOT, join(folder, 'node_modules', 'sentence-embedder'));
    writeFileSync(join(folder, 'package.json'), '{}');
    const require = "const { describeIEmbedder, TestEmbedder } = require('sentence-embedder/testing');";
    const load =
      runner === 'jest' ? require : "import { describeIEmbedder, TestEmbedder } from 'sentence-embedder/testing';";
    writeFileSync(
      join(folder, 'contract.test.js'),
      `${load}\ndescribeIEmbedder(() => { const it = new TestEmbedder({ dimension: 8 });\n${change}\nreturn it; });\n`,
    );
    writeFileSync(join(folder, 'jest.config.json'), '{"transform":{}}');
    const args =
      runner === 'jest'
        ? [
            join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
            '--rootDir',
            folder,
            '-c',
            join(folder, 'jest.config.json'),
          ]
        : [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--globals', '--root', folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      timeout: 55_000 * SLOWNESS,
    });
    return { status, output: stdout + stderr };
  };

  test.each(['jest', 'vitest'] as const)('passes under %s', (runner) => {
    const { status, output } = run(runner, '');
    expect({ status, output }).toEqual({ status: 0, output: expect.stringMatching(/12 passed/) as string });
  });

  test('finds defects', () => {
    const defects: [string, RegExp][] = [
      [
        'const embed = it.embed.bind(it); it.embed = async (t) => (await embed(t)).reverse();',
        /keep|order|same vector/,
      ],
      ['const embed = it.embed.bind(it); it.embed = (t) => embed(t.filter(Boolean));', /one plain array/],
      ['it.initialize = async () => { throw new Error("no") };', /is ready once/],
      [
        'const embed = it.embed.bind(it); it.embed = async (t) => { await it.initialize(); return embed(t) };',
        /refuses to embed/,
      ],
    ];
    for (const [change, name] of defects) {
      const { status, output } = run('jest', change);
      expect(status).toBe(1);
      expect(
        output
          .split('\n')
          .filter((line) => line.includes('✕'))
          .join('\n'),
      ).toMatch(name);
    }
  });
});

test('the test embedder and its factory load no native code', () => {
  const script = `
    const { TestEmbedder } = require('sentence-embedder/testing');
    const loaded = () => Object.keys(require.cache).concat(process.report.getReport().sharedObjects)
      .filter((file) => /native\\.js$|loader\\.js$|\\.node$|onnxruntime/.test(file));
    (async () => {
      const embedder = new TestEmbedder();
      await embedder.initialize();
      console.log((await embedder.embed(['a']))[0].length, loaded().length);
      const fromFactory = require('sentence-embedder').createTestFactory().create();
      await fromFactory.initialize();
      await fromFactory.embed(['a']);
      console.log(loaded().filter((file) => !/\\.js$/.test(file)).length);
      require('sentence-embedder').Embedder.load({ model: ${JSON.stringify(modelFolder('bert'))} })
        .then(() => console.log(loaded().some((file) => /\\.node$/.test(file))));
    })();`;
  expect(runScript(script)).toMatchObject({ status: 0, stdout: '768 0\n0\ntrue\n' });
});
