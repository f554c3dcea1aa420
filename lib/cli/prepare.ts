/** `prepare`: writes a copy of a model in another precision, for bundling with an app. */

import { resolve } from 'node:path';
import { settle } from '../abort.js';
import { nativeAddon } from '../native.js';
import { say, text, UsageError, type Command } from './command.js';
import { bytes, count } from './format.js';
import { progressOn } from './progress.js';

export const prepare: Command = {
  name: 'prepare',
  usage: '[MODEL] --out FOLDER [--precision int8] [--revision R] [--model-file F] [--cache-dir FOLDER]',
  summary: 'writes a copy of a model with 8-bit weights, for bundling with an app',
  details: [
    'MODEL              a folder, or the id of a model on the hub; default: the default model',
    '--out FOLDER       where the copy goes; it runs on every processor',
    '--precision P      int8, which is the default',
    '--revision R       a commit, tag or branch of the hub',
    '--model-file F     the ONNX file, where it is not onnx/model.onnx',
    '--cache-dir FOLDER the cache of fetched models; default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub',
  ],
  options: {
    out: { type: 'string' },
    precision: { type: 'string' },
    revision: { type: 'string' },
    'model-file': { type: 'string' },
    'cache-dir': { type: 'string' },
  },
  operands: 1,
  async run(input) {
    const out = text(input, 'out');
    if (out === undefined) throw new UsageError('--out needs a folder');
    const options = {
      model: input.operands[0],
      precision: text(input, 'precision') ?? 'int8',
      revision: text(input, 'revision'),
      modelFile: text(input, 'model-file'),
      cacheDir: text(input, 'cache-dir'),
      out: resolve(out),
      signal: input.signal,
    };
    const progress = progressOn(process.stderr);
    try {
      const made = await settle(options, () => nativeAddon().prepareModel(options, progress.show));
      progress.end();
      say(`${made.model} in ${made.precision}: ${count(made.files, 'file')}, ${bytes(made.bytes)}`);
      say(made.path);
    } finally {
      progress.end();
    }
  },
};
