// What a careful person writes around onnxruntime-node: Hugging Face's tokenizer for JavaScript, the model's own maximum
// length, padding to the longest text of the batch, mean pooling, normalisation.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireInstalled } from '../where.mjs';

/** @type {import('./index.mjs').Entry['start']} */
export async function start({ model, threads }) {
  const ort = requireInstalled('onnxruntime-node');
  const { Tokenizer } = requireInstalled('@huggingface/tokenizers');
  /** @param {string} name */
  const json = (name) => JSON.parse(readFileSync(join(model, name), 'utf8'));
  const tokenizer = new Tokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
  const { max_seq_length: maxLength } = json('sentence_bert_config.json');
  const { pad_token_id: padId } = json('config.json');
  const session = await ort.InferenceSession.create(join(model, 'onnx', 'model.onnx'), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
  });

  /** @param {string} text @returns {number[]} */
  const encode = (text) => {
    const { ids } = tokenizer.encode(text);
    // The last token is the closing special token.
    return ids.length > maxLength ? [...ids.slice(0, maxLength - 1), ids.at(-1)] : ids;
  };

  return {
    embed: async (texts) => {
      const encoded = texts.map(encode);
      const length = Math.max(...encoded.map((ids) => ids.length));
      const inputIds = new BigInt64Array(texts.length * length).fill(BigInt(padId));
      const mask = new BigInt64Array(texts.length * length);
      encoded.forEach((ids, row) => {
        ids.forEach((id, column) => {
          inputIds[row * length + column] = BigInt(id);
          mask[row * length + column] = 1n;
        });
      });
      /** @param {BigInt64Array} data */
      const tensor = (data) => new ort.Tensor('int64', data, [texts.length, length]);
      /** @type {Record<string, BigInt64Array>} */
      const inputs = {
        input_ids: inputIds,
        attention_mask: mask,
        token_type_ids: new BigInt64Array(texts.length * length),
      };
      const feeds = session.inputNames.map((/** @type {string} */ name) => [
        name,
        tensor(inputs[name] ?? new BigInt64Array()),
      ]);
      const [name] = session.outputNames;
      const { [name]: output } = await session.run(Object.fromEntries(feeds));
      return encoded.map((ids, row) => {
        const [, , size] = output.dims;
        const start = row * length * size;
        return normalised(mean(output.data.subarray(start, start + ids.length * size), size));
      });
    },
    close: () => session.release(),
  };
}

/**
 * The mean of the rows of `embeddings` [tokens, size].
 * @param {Float32Array} embeddings
 * @param {number} size
 */
function mean(embeddings, size) {
  const sum = new Float32Array(size);
  for (let at = 0; at < embeddings.length; at += 1) {
    sum[at % size] = (sum[at % size] ?? 0) + (embeddings[at] ?? 0);
  }
  return sum.map((value) => value / (embeddings.length / size));
}

/** @param {Float32Array} vector */
function normalised(vector) {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / norm);
}
