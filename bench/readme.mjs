// Puts the tables of bench/results/latest.json into bench/README.md, between its markers: npm run bench:readme

import { readFileSync, writeFileSync } from 'node:fs';
import { markdown } from './tables.mjs';

const README = new URL('README.md', import.meta.url);
const SECTION = /(<!-- results: begin[^>]*-->\n)[^]*(\n<!-- results: end -->)/;

const result = JSON.parse(readFileSync(new URL('results/latest.json', import.meta.url), 'utf8'));
const readme = readFileSync(README, 'utf8');
if (!SECTION.test(readme)) throw new Error('bench/README.md has lost the markers of its results');
writeFileSync(
  README,
  readme.replace(SECTION, (_, /** @type {string} */ begin, /** @type {string} */ end) =>
    [begin, markdown(result), end].join('\n'),
  ),
);
