// @huggingface/transformers, as its documentation shows it: a feature-extraction pipeline with mean pooling.
// It truncates where tokenizer_config.json says, not where sentence_bert_config.json does.

import { basename, dirname } from 'node:path';
import { requireInstalled } from '../where.mjs';

/** @type {import('./index.mjs').Entry['start']} */
export async function start({ model, threads }) {
  const { env, pipeline } = requireInstalled('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.localModelPath = dirname(model);
  const extract = await pipeline('feature-extraction', basename(model), {
    device: 'cpu',
    dtype: 'fp32',
    session_options: { intraOpNumThreads: threads },
  });
  return {
    embed: async (texts) => (await extract(texts, { pooling: 'mean', normalize: true })).tolist(),
    close: () => extract.dispose(),
  };
}
