/** `rm`: removes models from the cache. */

import { answer } from '../abort.js';
import { nativeAddon } from '../native.js';
import { CACHE_DETAIL, text, say, UsageError, type Command } from './command.js';
import { bytes } from './format.js';

export const rm: Command = {
  name: 'rm',
  usage: 'MODEL... [OPTIONS]',
  summary: 'Remove models from the cache, with all revisions and prepared copies',
  details: ['MODEL  Model id, as listed by `models`', CACHE_DETAIL],
  examples: ['sentence-transformers/all-MiniLM-L6-v2'],
  options: { 'cache-dir': { type: 'string' } },
  operands: Infinity,
  async run(input) {
    if (input.operands.length === 0) throw new UsageError('Missing MODEL: the id of at least one model to remove');
    for (const model of input.operands) {
      const freed = await answer(() => Promise.resolve(nativeAddon().removeModel(model, text(input, 'cache-dir'))));
      say(`Removed ${model}: freed ${bytes(freed)}`);
    }
  },
};
