// fastembed for Node with a local model. It cannot be told the number of threads, the pooling (its custom models take the
// first token's embedding) or a maximum below tokenizer_config.json's, which is given to it here as the model's own.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BATCH_SIZE } from '../texts.mjs';
import { requireInstalled } from '../where.mjs';

/** @type {import('./index.mjs').Entry['start']} */
export async function start({ model }) {
  const { EmbeddingModel, FlagEmbedding } = requireInstalled('fastembed');
  const { max_seq_length: maxLength } = JSON.parse(readFileSync(join(model, 'sentence_bert_config.json'), 'utf8'));
  const embedding = await FlagEmbedding.init({
    model: EmbeddingModel.CUSTOM,
    modelAbsoluteDirPath: model,
    modelName: join('onnx', 'model.onnx'),
    maxLength,
  });
  return {
    embed: async (texts) => {
      const vectors = [];
      for await (const batch of embedding.embed(texts, BATCH_SIZE)) vectors.push(...batch);
      return vectors;
    },
    close: () => Promise.resolve(),
  };
}
