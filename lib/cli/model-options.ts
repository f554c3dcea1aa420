/** The options by which a command that embeds says with which model, and the load itself. */

import { Embedder } from '../embedder.js';
import type { LoadOptions, Precision } from '../types.js';
import { CACHE_DETAIL, text, UsageError, type Input, type OptionTable } from './command.js';
import { wholeNumber } from './numbers.js';
import { progressOn } from './progress.js';

const PRECISIONS: readonly Precision[] = ['fp32', 'int8'];

/** For the command's table of options. */
export const MODEL_OPTIONS: OptionTable = {
  model: { type: 'string' },
  precision: { type: 'string' },
  threads: { type: 'string' },
  'cache-dir': { type: 'string' },
  offline: { type: 'boolean' },
};

/** For the command's help; `model` is what is taken without --model. */
export const modelDetails = (model = 'the default model'): readonly string[] => [
  `--model MODEL  Model id on the hub, or a folder (default: ${model})`,
  '--precision P  fp32 or int8 (default: fp32, unless the folder was prepared as int8)',
  '--threads N  Compute threads (default: the physical cores, at most 8)',
  CACHE_DETAIL,
  '--offline  Download nothing (default: from HF_HUB_OFFLINE)',
];

/** The load that the options ask for; what they do not say is left to the defaults of `Embedder.load`. */
export function loadOptions(input: Input): LoadOptions {
  const options: LoadOptions = { signal: input.signal };
  const [model, cacheDir] = [text(input, 'model'), text(input, 'cache-dir')];
  const threads = wholeNumber(input, 'threads');
  if (model !== undefined) options.model = model;
  if (cacheDir !== undefined) options.cacheDir = cacheDir;
  if (threads !== undefined) options.threads = threads;
  if (input.options['offline'] === true) options.offline = true;
  const given = text(input, 'precision');
  if (given !== undefined) {
    const precision = PRECISIONS.find((name) => name === given);
    if (!precision) throw new UsageError(`Expected fp32 or int8 for --precision but received ${given}`);
    options.precision = precision;
  }
  return options;
}

/** Refuses what a load falls back to when the 8-bit copy cannot be made: whoever names a precision means it. */
export function expectPrecision(wanted: string | undefined, loaded: Precision): void {
  if (wanted === undefined || wanted === loaded) return;
  throw new Error(`The model could be loaded in ${loaded} only, not in ${wanted}: the warning above says why`);
}

/** Loads the model, hands it to `use` and closes it. What the load does is shown on stderr: it may be the first of this model. */
export async function withModel(options: LoadOptions, use: (embedder: Embedder) => Promise<void>): Promise<void> {
  const { show, end } = progressOn(process.stderr);
  const embedder = await Embedder.load({ ...options, onProgress: show }).finally(end);
  try {
    expectPrecision(options.precision, embedder.info.precision);
    await use(embedder);
  } finally {
    await embedder.close();
  }
}
