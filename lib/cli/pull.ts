/** `pull`: fetches a model, and copies it into a folder for bundling. */

import { nativeAddon } from '../native.js';
import { say, type Command } from './command.js';
import { bytes, count } from './format.js';
import { STORE_DETAILS, STORE_OPTIONS, storeOptions, withProgress } from './store-options.js';

export const pull: Command = {
  name: 'pull',
  usage: '[MODEL] [OPTIONS]',
  summary: 'fetches a model of the hub into the cache',
  details: [
    'MODEL  the id of a model on the hub; default: the default model',
    '--precision P  fp32, or int8, which also makes the 8-bit copy: in the cache, or in --out; default: fp32',
    '--out FOLDER  also copies the model into a plain folder, with a manifest of hashes, for bundling with an app',
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
      await embedder.close();
    }
    say(`${pulled.model} at ${pulled.revision}: ${count(pulled.files, 'file')}, ${bytes(pulled.bytes)}`);
    say(pulled.path);
  },
};
