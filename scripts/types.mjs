// Rolls the declarations of lib/ up into index.d.ts and testing.d.ts: node scripts/types.mjs [--check]
// With --check nothing is written: it fails if a committed file is not what the sources give.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CACHE, ROOT } from './packages.mjs';
import { runTool } from './tools.mjs';

const HEADER = '// Made from lib/ by "npm run build:types". Change the sources instead.\n';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });

rmSync(join(CACHE, 'types'), { recursive: true, force: true });
runTool('typescript', 'tsc', ['--project', 'tsconfig.build.json', '--emitDeclarationOnly']);
const rollups = /** @type {const} */ ([
  ['index.d.ts', 'api-extractor.json'],
  ['testing.d.ts', 'api-extractor.testing.json'],
]);
for (const [name, config] of rollups) {
  runTool('@microsoft/api-extractor', 'api-extractor', ['run', '--local', '--config', config], { quiet: true });

  const made = HEADER + readFileSync(join(CACHE, 'types', name), 'utf8').replaceAll('\r\n', '\n');
  const committed = join(ROOT, name);
  if (!values.check) {
    writeFileSync(committed, made);
  } else if (readFileSync(committed, 'utf8').replaceAll('\r\n', '\n') !== made) {
    console.error(`${name} is not what lib/ gives: run "npm run build:types" and commit it.`);
    process.exit(1);
  }
}
