// A server that speaks as the Python sidecar does: node sidecar.mjs [--port 8421] [--loading-ms 0] [--model ID] [--broken]

import { parseArgs } from 'node:util';
import { DIMENSION, serve, vectorOf } from './server.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'loading-ms': { type: 'string', default: '0' },
    model: { type: 'string', default: 'sentence-transformers/paraphrase-multilingual-mpnet-base-v2' },
    broken: { type: 'boolean', default: false },
  },
});

/** @param {string} type */
const progress = (type) => {
  console.log(`PROGRESS:${JSON.stringify({ type, data: { model: values.model } })}`);
};

if (values.broken) {
  console.error("ModuleNotFoundError: No module named 'sentence_transformers'");
  process.exit(1);
}

let loaded = false;
serve(
  {
    'GET /health': () => ({ answer: { status: 'ok', model_loaded: loaded, model_loading: !loaded } }),
    'GET /info': () => ({ answer: { model_id: values.model, dim: DIMENSION, device: 'cpu' } }),
    'POST /embed': ({ texts, normalize, pooling, batch_size: batchSize }) => {
      if (!loaded) return { status: 503, answer: { detail: 'Model is loading' } };
      if (pooling !== 'mean' || batchSize < 1) return { status: 422, answer: { detail: 'no such pooling' } };
      return { answer: { vectors: texts.map((/** @type {string} */ text) => vectorOf(text, normalize)) } };
    },
  },
  {
    embedPath: '/embed',
    port: Number(values.port),
    onListening: () => {
      progress('download_started');
      setTimeout(() => {
        progress('model_cached');
        loaded = true;
        progress('model_loaded');
      }, Number(values['loading-ms']));
    },
  },
);
