// The command line as a user meets it: a process of its own, against a hub in this one.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Embedder } from 'sentence-embedder';
import { rejection } from '../support/expectations';
import { modelFolder } from '../support/fixtures';
import { ROOT } from '../support/processes';
import { startHub, type TestHub } from './hub';
import { freshFolders, runAgainst, type Outcome } from './run';

const MODEL = 'tiny/bert';
const fresh = freshFolders();
let hub: TestHub;

beforeAll(async () => {
  hub = await startHub(MODEL, modelFolder('bert'));
});

afterAll(() => {
  hub.close();
});

/** Runs the command that package.json names. */
function cli(cache: string, ...words: string[]): Promise<Outcome> {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  return runAgainst(hub, cache, [join(ROOT, bin['sentence-embedder'] ?? ''), ...words]);
}

test('pull, models, rm', async () => {
  const cache = fresh();
  expect((await cli(cache, 'models')).stdout).toContain('has no model');

  const pulled = await cli(cache, 'pull', MODEL);
  expect(pulled).toMatchObject({ status: 0 });
  expect(pulled.stdout).toContain(`${MODEL} at `);
  expect(pulled.stderr).toContain('100%'); // plain lines: this is no terminal
  expect(pulled.stderr).not.toContain('\r');

  const listed = await cli(cache, 'models');
  expect(listed.stdout).toMatch(/^tiny\/bert +\d+ kB +0123456789ab\n$/);

  const removed = await cli(cache, 'rm', MODEL);
  expect(removed.stdout).toContain('Removed tiny/bert');
  expect((await cli(cache, 'rm', MODEL)).stderr).toContain('ERR_EMBED_MODEL_NOT_FOUND');
});

test('pull --precision int8 prepares the model in the cache, and rm removes that too', async () => {
  const cache = fresh();
  const copies = (): string[] =>
    readdirSync(join(cache, 'prepared'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  const pulled = await cli(cache, 'pull', MODEL, '--precision', 'int8', '--cache-dir', cache);
  expect(pulled).toMatchObject({ status: 0, stderr: expect.stringContaining(`Preparing ${MODEL}`) as string });
  expect(copies()).toHaveLength(1);
  // A copy of another model stays.
  const other = await Embedder.load({ model: modelFolder('xlmr'), cacheDir: cache });
  await other.close();
  expect(copies()).toHaveLength(2);

  expect(await cli(cache, 'rm', MODEL, '--cache-dir', cache)).toMatchObject({ status: 0 });
  expect(copies()).toHaveLength(1);
});

test('pull --precision int8 fails if the copy cannot be made, and says why', async () => {
  const cache = fresh();
  writeFileSync(join(cache, 'prepared'), 'no folder');
  const { status, stdout, stderr } = await cli(cache, 'pull', MODEL, '--precision', 'int8', '--cache-dir', cache);
  expect(stderr).toMatch(/^Warning: .*$/m);
  expect(stderr).toContain('The model could be loaded in fp32 only, not in int8');
  expect([status, stdout]).toEqual([1, '']);
});

test('pull --precision int8 --out makes a folder with 8-bit weights', async () => {
  const folder = join(fresh(), 'bundle');
  const pulled = await cli(fresh(), 'pull', MODEL, '--precision', 'int8', '--out', folder);
  expect(pulled).toMatchObject({ status: 0, stdout: expect.stringContaining(`${MODEL} at `) as string });
  const embedder = await Embedder.load({ model: folder, verify: true, cacheDir: fresh() });
  expect(embedder.info.precision).toBe('int8');
  await embedder.close();
});

test('pull --out makes a folder that loads and can be verified', async () => {
  const folder = join(fresh(), 'bundle');
  const pulled = await cli(fresh(), 'pull', MODEL, '--out', folder);
  expect(pulled).toMatchObject({ status: 0 });
  const embedder = await Embedder.load({ model: folder, verify: true, prepare: false });
  await embedder.close();

  const file = join(folder, 'tokenizer_config.json');
  writeFileSync(file, readFileSync(file, 'utf8') + ' ');
  const refused = await rejection(Embedder.load({ model: folder, verify: true }), 'ERR_EMBED_MODEL_INVALID');
  expect(refused.message).toContain('tokenizer_config.json');
  await rejection(Embedder.load({ model: modelFolder('bert'), verify: true }), 'ERR_EMBED_MODEL_INVALID');
  expect(existsSync(join(modelFolder('bert'), 'sentence-embedder.json'))).toBe(false);
});

test('doctor reports and tests, and names nobody', async () => {
  const cache = fresh();
  await cli(cache, 'pull', MODEL);
  const { status, stdout } = await cli(cache, 'doctor');
  expect(status).toBe(0);
  for (const name of ['platform', 'processor', 'ONNX Runtime', 'telemetry', 'cache', 'hub', 'proxies', 'self-test']) {
    expect(stdout).toContain(name);
  }
  expect(stdout).toMatch(/telemetry +off/);
  expect(stdout).toMatch(/self-test +tiny\/bert .* short texts per second/);
  expect(stdout).toMatch(/token +set/);
  expect(stdout).not.toContain('hf_secret');
  if (homedir().length > 1) expect(stdout).not.toContain(`${homedir()}/`);
});

test('doctor fails if its self-test does', async () => {
  const folder = fresh();
  const { status, stdout } = await cli(folder, 'doctor', folder);
  expect(stdout).toMatch(/telemetry +off\n[^]*self-test +FAILED on /);
  expect(status).toBe(1);
});

test('Ctrl-C ends doctor in its self-test', async () => {
  // The clock is read first when the model is loaded.
  const interrupting = `
    performance.now = () => {
      delete performance.now;
      process.emit('SIGINT', 'SIGINT');
      return performance.now();
    };`;
  const { status, stdout, stderr } = await runAgainst(hub, fresh(), [
    `--import=data:text/javascript,${encodeURIComponent(interrupting)}`,
    ...[join(ROOT, 'dist', 'cli.js'), 'doctor', modelFolder('bert')],
  ]);
  // There is nothing to go on from.
  expect(stderr).toBe('Interrupted.\n');
  expect([status, stdout]).toEqual([130, '']);
});

test.each([
  [['bogus'], 'Unknown command bogus'],
  [['pull', '--wrong'], 'usage: sentence-embedder pull'],
  [['pull', 'a/b', 'c/d'], 'Unexpected argument c/d'],
  [['rm'], 'at least one model'],
  [['pull', './folder'], 'like owner/name'],
  [['pull', MODEL, '--precision', 'int4'], "'fp32' or 'int8'"],
])('%j is refused', async (words, sentence) => {
  const { status, stderr } = await cli(fresh(), ...words);
  expect(stderr).toContain(sentence);
  expect(status).toBe(2);
});

test('prepare writes a model folder of its own, in place of one that was left unfinished', async () => {
  const out = join(fresh(), 'model');
  const prepared = await cli(fresh(), 'prepare', modelFolder('bert'), '--out', out);
  expect(prepared).toMatchObject({ status: 0, stderr: expect.stringContaining('Preparing') as string });
  expect(prepared.stdout).toMatch(/^bert in int8: \d+ files, \d+ kB\n/);

  const load = { model: out, verify: true, cacheDir: fresh() };
  const embedder = await Embedder.load(load);
  expect(embedder.info.precision).toBe('int8');
  await embedder.close();

  const manifest = join(out, 'sentence-embedder.json');
  const whole = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>;
  writeFileSync(manifest, JSON.stringify({ ...whole, unfinished: true }));
  expect((await rejection(Embedder.load(load), 'ERR_EMBED_MODEL_INVALID')).message).toContain('left unfinished');
  expect(await cli(fresh(), 'prepare', modelFolder('bert'), '--out', out)).toMatchObject({ status: 0 });
  expect(JSON.parse(readFileSync(manifest, 'utf8'))).toEqual(whole);
});
