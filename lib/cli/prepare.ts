/** `prepare`: writes a copy of a model in another precision, for bundling with an app. */

import { nativeAddon } from '../native.js';
import { say, UsageError, type Command } from './command.js';
import { bytes, count } from './format.js';
import { STORE_DETAILS, STORE_OPTIONS, storeOptions, withProgress } from './store-options.js';

export const prepare: Command = {
  name: 'prepare',
  usage: '[MODEL] --out FOLDER [OPTIONS]',
  summary: 'writes a copy of a model with 8-bit weights, for bundling with an app',
  details: [
    'MODEL  a folder, or the id of a model on the hub; default: the default model',
    '--out FOLDER  where the copy goes, which runs on every processor',
    '--precision P  int8; default: int8',
    ...STORE_DETAILS,
  ],
  examples: ['./models/all-MiniLM-L6-v2 --out ./models/all-MiniLM-L6-v2-int8'],
  options: STORE_OPTIONS,
  operands: 1,
  async run(input) {
    const options = storeOptions(input);
    if (options.out === undefined) throw new UsageError('--out needs a folder');
    options.precision ??= 'int8';
    const made = await withProgress(options, (show) => nativeAddon().prepareModel(options, show));
    say(`${made.model} in ${made.precision}: ${count(made.files, 'file')}, ${bytes(made.bytes)}`);
    say(made.path);
  },
};
