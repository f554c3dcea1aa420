/** `pull`: fetches a model, and copies it into a folder for bundling. */

import { nativeAddon } from '../native.js';
import { say, type Command } from './command.js';
import { bytes, count } from './format.js';
import { expectPrecision } from './model-options.js';
import { STORE_DETAILS, STORE_OPTIONS, storeOptions, withProgress } from './store-options.js';

export const pull: Command = {
  name: 'pull',
  usage: '[MODEL] [OPTIONS]',
  summary: 'Download a model from the hub into the cache',
  details: [
    'MODEL  Model id on the hub; without it, the default model',
    '--precision P  fp32 or int8 (default: fp32); int8 also makes the 8-bit copy, in --out or in the cache',
    '--out FOLDER  Also copy the model into a plain folder, with a manifest of hashes, to bundle with an app',
    ...STORE_DETAILS,
  ],
  examples: ['', 'sentence-transformers/all-MiniLM-L6-v2 --precision int8 --out ./models/all-MiniLM-L6-v2'],
  options: STORE_OPTIONS,
  operands: 1,
  resumes: true,
  async run(input) {
    const options = storeOptions(input);
    const pulled = await withProgress(options, (show) => nativeAddon().pullModel(options, show));
    const { out, ...request } = options;
    if (request.precision === 'int8' && out === undefined) {
      // A load makes the copy, so that the user's first one need not.
      const load = { ...request, offline: true };
      const embedder = await withProgress(load, (show) => nativeAddon().NativeEmbedder.load(load, show));
      const { precision } = embedder.info();
      await embedder.close();
      expectPrecision('int8', precision);
    }
    say(`${pulled.model} at ${pulled.revision}: ${count(pulled.files, 'file')}, ${bytes(pulled.bytes)}`);
    say(pulled.path);
  },
};
