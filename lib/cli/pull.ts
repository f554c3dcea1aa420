/** `pull`: fetches a model, and copies it into a folder for bundling. */

import { resolve } from 'node:path';
import { settle } from '../abort.js';
import { Embedder } from '../embedder.js';
import { nativeAddon } from '../native.js';
import type { LoadOptions } from '../types.js';
import { text, say, type Command } from './command.js';
import { bytes, count } from './format.js';
import { progressOn } from './progress.js';

export const pull: Command = {
  name: 'pull',
  usage: '[MODEL] [--precision P] [--out FOLDER] [--revision R] [--model-file F] [--cache-dir FOLDER]',
  summary: 'fetches a model of the hub into the cache',
  details: [
    'MODEL              the id of a model on the hub; default: the default model',
    '--precision int8   also makes the 8-bit copy: in the cache, or in the folder that --out names; default: fp32',
    '--out FOLDER       also copies the model into a plain folder, with a manifest of hashes, for bundling with an app',
    '--revision R       a commit, tag or branch',
    '--model-file F     the ONNX file, where it is not onnx/model.onnx',
    '--cache-dir FOLDER the cache; default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub',
  ],
  options: {
    precision: { type: 'string' },
    out: { type: 'string' },
    revision: { type: 'string' },
    'model-file': { type: 'string' },
    'cache-dir': { type: 'string' },
  },
  operands: 1,
  async run(input) {
    const out = text(input, 'out');
    const request = {
      model: input.operands[0],
      precision: text(input, 'precision'),
      revision: text(input, 'revision'),
      modelFile: text(input, 'model-file'),
      cacheDir: text(input, 'cache-dir'),
      signal: input.signal,
    };
    const options = { ...request, out: out === undefined ? undefined : resolve(out) };
    const progress = progressOn(process.stderr);
    try {
      const pulled = await settle(options, () => nativeAddon().pullModel(options, progress.show));
      if (request.precision === 'int8' && out === undefined) {
        // A load makes the copy, so that the user's first one need not.
        const cached = { ...request, offline: true, onProgress: progress.show };
        await (await Embedder.load(cached as LoadOptions)).close();
      }
      progress.end();
      say(`${pulled.model} at ${pulled.revision}: ${count(pulled.files, 'file')}, ${bytes(pulled.bytes)}`);
      say(pulled.path);
    } finally {
      progress.end();
    }
  },
};
