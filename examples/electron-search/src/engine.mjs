// The utility process: embeds and stores what is indexed, and answers searches meanwhile.

import { Embedder } from 'sentence-embedder';
import { Indexing } from './indexing.mjs';
import { Store } from './store.mjs';

const { model, store: folder } = JSON.parse(process.argv[2] ?? '{}');
const { parentPort } = process;

/** @param {object} message */
const tell = (message) => {
  parentPort.postMessage(message);
};
/** @param {unknown} error */
const fail = (error) => {
  const { code, message } = /** @type {Error & { code?: string }} */ (error);
  tell({ type: 'failed', message: code ? `${message} (${code})` : message });
};

/** @type {Indexing | undefined} */
let indexing;

try {
  const start = performance.now();
  const embedder = await Embedder.load({ model });
  const store = await Store.open(folder, embedder.info.dimension);
  const seconds = (performance.now() - start) / 1000;
  tell({
    type: 'ready',
    model: embedder.info.model,
    dimension: embedder.info.dimension,
    seconds,
    passages: await store.count(),
  });

  const actions = {
    /** @param {{ folder: string }} message */
    async index({ folder }) {
      await indexing?.cancel();
      indexing = new Indexing(embedder, store, (progress) => {
        tell({ type: 'progress', ...progress });
      });
      await indexing.run(folder);
    },
    /** @param {{ id: number, query: string }} message */
    async search({ id, query }) {
      const started = performance.now();
      const vector = await embedder.embedOne(query); // interactive: goes before what is being indexed
      const results = await store.nearest(vector, 12);
      tell({ type: 'results', id, results, milliseconds: performance.now() - started });
    },
    pause: () => indexing?.pause(),
    resume: () => indexing?.resume(),
    cancel: () => indexing?.cancel(),
  };
  parentPort.on('message', ({ data }) => {
    const action = actions[/** @type {keyof typeof actions} */ (data.type)];
    Promise.resolve(action(data)).catch(fail);
  });
} catch (error) {
  fail(error);
}
