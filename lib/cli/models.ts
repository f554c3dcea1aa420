/** `models`: lists what is cached. */

import { answer } from '../abort.js';
import { nativeAddon } from '../native.js';
import { CACHE_DETAIL, text, say, type Command } from './command.js';
import { bytes, table } from './format.js';

export const models: Command = {
  name: 'models',
  usage: '[OPTIONS]',
  summary: 'List the models in the cache, with their sizes',
  details: [CACHE_DETAIL],
  examples: ['', '--cache-dir ./models/cache'],
  options: { 'cache-dir': { type: 'string' } },
  operands: 0,
  async run(input) {
    const found = await answer(() => Promise.resolve(nativeAddon().cachedModels(text(input, 'cache-dir'))));
    if (found.length === 0) {
      say('The cache has no models. Download one with: npx sentence-embedder pull');
      return;
    }
    const rows = found.map((model) => [
      model.model,
      bytes(model.bytes),
      model.revisions.map((revision) => revision.slice(0, 12)).join(', '),
      model.partial ? 'incomplete' : '',
    ]);
    for (const line of table(rows)) say(line);
  },
};
