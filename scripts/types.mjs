// Rolls the declarations of lib/ up into the types of each entry point: node scripts/types.mjs [--check]
// With --check nothing is written: it fails if a committed file is not what the sources give.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TWO_HALVES } from './adapters.mjs';
import { CACHE, ROOT } from './packages.mjs';
import { runTool } from './tools.mjs';

const HEADER = '// Made from lib/ by "npm run build:types". Change the sources instead.\n';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });

rmSync(join(CACHE, 'types'), { recursive: true, force: true });
runTool('typescript', 'tsc', ['--project', 'tsconfig.build.json', '--emitDeclarationOnly']);
// Where each is committed, and the entry point that it has the types of.
const rollups = /** @type {const} */ ([
  ['index.d.ts', 'index'],
  ['testing.d.ts', 'testing/index'],
  ['types/langchain.d.ts', 'adapters/langchain'],
  ['types/llamaindex.d.ts', 'adapters/llamaindex'],
  ['types/ai-sdk.d.ts', 'adapters/ai-sdk'],
  ['types/lancedb.d.ts', 'adapters/lancedb'],
]);
for (const [name, entry] of rollups) {
  const rolledUp = `.cache/types/rolled-up/${name}`;
  const config = {
    extends: '../../api-extractor.json',
    projectFolder: '../..',
    mainEntryPointFilePath: `<projectFolder>/.cache/types/lib/${entry}.d.ts`,
    // An adapter's comments speak of what the main entry point has.
    messages: { extractorMessageReporting: { 'ae-unresolved-link': { logLevel: 'none' } } },
    dtsRollup: { untrimmedFilePath: `<projectFolder>/${rolledUp}` },
  };
  const configFile = '.cache/types/api-extractor.json';
  writeFileSync(join(ROOT, configFile), JSON.stringify(config));
  runTool('@microsoft/api-extractor', 'api-extractor', ['run', '--local', '--config', configFile], { quiet: true });

  const made = HEADER + readFileSync(join(ROOT, rolledUp), 'utf8').replaceAll('\r\n', '\n');
  // What extends a class of a framework extends, for `import`, that of the framework's ES module.
  const both = TWO_HALVES.some((adapter) => name === `types/${adapter}.d.ts`);
  for (const file of both ? [name, name.replace('.d.ts', '.d.mts')] : [name]) {
    const committed = join(ROOT, file);
    if (!values.check) {
      writeFileSync(committed, made);
    } else if (readFileSync(committed, 'utf8').replaceAll('\r\n', '\n') !== made) {
      console.error(`${file} is not what lib/ gives: run "npm run build:types" and commit it.`);
      process.exit(1);
    }
  }
}
