// Embedder.load with the id of a model on the hub: fetched, shown, cancelled, and found again without a request.

import type { LoadEvent } from 'sentence-embedder';
import { expectVectors } from '../support/expectations';
import { modelFolder, reference, texts } from '../support/fixtures';
import { COMMIT, startHub, type TestHub } from './hub';
import { freshFolders, runAgainst } from './run';

const MODEL = 'tiny/bert';
const fresh = freshFolders();
let hub: TestHub;

beforeAll(async () => {
  hub = await startHub(MODEL, modelFolder('bert'));
});

afterAll(() => {
  hub.close();
});

interface Told {
  info?: Record<string, unknown>;
  vectors?: number[][];
  events: LoadEvent[];
  code?: string;
  message?: string;
}

/** Loads and embeds in a process of its own. `abortOn` is the end of the file whose progress aborts the load. */
async function load(cache: string, options: object, abortOn?: string): Promise<Told> {
  const script = `
    const { Embedder } = require('sentence-embedder');
    const controller = new AbortController();
    const told = { events: [] };
    const onProgress = (event) => {
      told.events.push(event);
      if (event.file?.endsWith(${JSON.stringify(abortOn ?? '/never')})) controller.abort();
    };
    Embedder.load({ ...${JSON.stringify(options)}, signal: controller.signal, onProgress })
      .then(async (embedder) => {
        told.info = embedder.info;
        told.vectors = (await embedder.embedBatch(${JSON.stringify(texts)})).map((vector) => [...vector]);
        await embedder.close();
      })
      .catch((error) => Object.assign(told, { code: error.code, message: error.message }))
      .then(() => console.log(JSON.stringify(told)));`;
  const { stdout, stderr } = await runAgainst(hub, cache, ['-e', script]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

test('a model of the hub is fetched, and the next load asks nobody', async () => {
  const cache = fresh();
  const { info, vectors, events } = await load(cache, { model: MODEL });
  expect(info).toMatchObject({ model: MODEL, revision: COMMIT });
  const wanted = reference('bert');
  expectVectors(
    (vectors ?? []).map((vector) => Float32Array.from(vector)),
    wanted.vectors,
    wanted.tolerance,
  );
  const kinds = [...new Set(events.map((event) => event.type))].filter((kind) => kind !== 'preparing');
  expect(kinds).toEqual(['download_started', 'download_progress', 'model_cached', 'model_loaded']);
  const progress = events.filter((event) => event.type === 'download_progress');
  expect(progress.at(-1)).toMatchObject({ overall: 1 });
  for (const { loaded, total } of progress) expect(loaded).toBeLessThanOrEqual(total);
  expect(events.at(-1)).toMatchObject({ model: MODEL, fromCache: false });

  hub.seen.length = 0;
  const again = await load(cache, { model: MODEL, verify: true });
  expect(hub.seen).toEqual([]);
  expect(again.events.map((event) => event.type)).not.toContain('download_started');
  expect(again.events.at(-1)).toMatchObject({ fromCache: true });
});

test('a signal ends a download that hangs, and the next load goes on', async () => {
  const cache = fresh();
  hub.stalls = true;
  expect(await load(cache, { model: MODEL }, '.onnx')).toMatchObject({ code: 'ERR_EMBED_ABORTED' });
  hub.stalls = false;
  expect((await load(cache, { model: MODEL })).info).toMatchObject({ revision: COMMIT });
});

test('offline names what is missing and the command that fetches it', async () => {
  hub.seen.length = 0;
  const told = await load(fresh(), { model: MODEL, offline: true });
  expect(told.code).toBe('ERR_EMBED_OFFLINE');
  expect(told.message).toContain('onnx/model.onnx');
  expect(told.message).toContain(`npx sentence-embedder pull ${MODEL}`);
  expect(hub.seen).toEqual([]);
});

test('a model that the hub does not have is a download error', async () => {
  const told = await load(fresh(), { model: 'tiny/nowhere' });
  expect(told.code).toBe('ERR_EMBED_DOWNLOAD');
  expect(told.message).toContain('tiny/nowhere');
});
