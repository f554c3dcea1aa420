/** `pull`: fetches a model, and copies it into a folder for bundling. */

import { nativeAddon } from '../native.js';
import { say, type Command } from './command.js';
import { bytes, count } from './format.js';
import { STORE_DETAILS, STORE_OPTIONS, storeOptions, withProgress } from './store-options.js';

export const pull: Command = {
  name: 'pull',
  usage: '[MODEL] [--precision P] [--out FOLDER] [--revision R] [--model-file F] [--cache-dir FOLDER]',
  summary: 'fetches a model of the hub into the cache',
  details: [
    'MODEL              the id of a model on the hub; default: the default model',
    '--precision P      fp32 or int8: fetches what that precision needs',
    '--out FOLDER       also copies the model into a plain folder, with a manifest of hashes, for bundling with an app',
    ...STORE_DETAILS,
  ],
  options: STORE_OPTIONS,
  operands: 1,
  async run(input) {
    const options = storeOptions(input);
    const pulled = await withProgress(options, (show) => nativeAddon().pullModel(options, show));
    say(`${pulled.model} at ${pulled.revision}: ${count(pulled.files, 'file')}, ${bytes(pulled.bytes)}`);
    say(pulled.path);
  },
};
