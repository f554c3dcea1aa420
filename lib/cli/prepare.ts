/** `prepare`: writes a copy of a model in another precision, for bundling with an app. */

import { nativeAddon } from '../native.js';
import { say, UsageError, type Command } from './command.js';
import { bytes, count } from './format.js';
import { STORE_DETAILS, STORE_OPTIONS, storeOptions, withProgress } from './store-options.js';

export const prepare: Command = {
  name: 'prepare',
  usage: '[MODEL] --out FOLDER [OPTIONS]',
  summary: 'Write a copy of a model with 8-bit weights, to bundle with an app',
  details: [
    'MODEL  Folder, or model id on the hub; without it, the default model',
    '--out FOLDER  Where to write the copy, which runs on every processor',
    '--precision P  Only int8, which is the default',
    ...STORE_DETAILS,
  ],
  examples: ['./models/all-MiniLM-L6-v2 --out ./models/all-MiniLM-L6-v2-int8'],
  options: STORE_OPTIONS,
  operands: 1,
  async run(input) {
    const options = storeOptions(input);
    if (options.out === undefined) throw new UsageError('Missing --out FOLDER: where to write the copy');
    options.precision ??= 'int8';
    const made = await withProgress(options, (show) => nativeAddon().prepareModel(options, show));
    say(`${made.model} in ${made.precision}: ${count(made.files, 'file')}, ${bytes(made.bytes)}`);
    say(made.path);
  },
};
