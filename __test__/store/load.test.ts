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
  expect(kinds).toEqual(['download_started', 'download_progress', 'model_cached', 'loading', 'model_loaded']);
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

test('a download under way is shared by a restart, and ended by a shutdown and by a signal', async () => {
  const script = `
    const { InProcessEmbedder } = require('sentence-embedder');
    const stages = [];
    let reach;
    const onEvent = ({ stage }) => {
      if (stages.at(-1) !== stage) stages.push(stage);
      if (stage === 'downloading') reach();
    };
    const downloading = () => new Promise((resolve) => { reach = resolve; });
    (async () => {
      const embedder = new InProcessEmbedder({ modelName: ${JSON.stringify(MODEL)}, onEvent });
      const outcome = (call) => call.then((value) => value ?? 'done', (error) => error.code);
      let reached = downloading();
      const first = [embedder.initialize(), embedder.restart()].map(outcome);
      await reached;
      const again = outcome(embedder.restart());
      await embedder.shutdown();
      const ended = [...(await Promise.all(first)), await again, embedder.lastError.code];
      const controller = new AbortController();
      reached = downloading();
      const second = embedder.initialize({ signal: controller.signal });
      await reached;
      controller.abort();
      const cancelled = [await second, embedder.lastError.code];
      await fetch(process.env.HF_ENDPOINT + '/unstall');
      const works = [await embedder.initialize(), (await embedder.embed(['a'])).length];
      await embedder.shutdown();
      console.log(JSON.stringify({ ended, cancelled, works, stages }));
    })();`;
  hub.stalls = true;
  const { stdout, stderr } = await runAgainst(hub, fresh(), ['-e', script]);
  hub.stalls = false;
  expect(stderr).toBe('');
  const start = ['checking', 'downloading'];
  expect(JSON.parse(stdout)).toEqual({
    ended: [false, 'ERR_EMBED_CLOSED', 'ERR_EMBED_CLOSED', 'ERR_EMBED_CLOSED'],
    cancelled: [false, 'ERR_EMBED_ABORTED'],
    works: [true, 1],
    stages: [...start, 'error', ...start, 'error', ...start, 'preparing', 'loading', 'ready'],
  });
});
