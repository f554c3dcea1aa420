// Builds everything that the package needs: node scripts/build.mjs [--debug] [--source-maps]
// dist/ from lib/, the addon from src/, and the ONNX Runtime library beside it. Source maps are what coverage.mjs needs.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildEsAdapters } from './adapters.mjs';
import { buildCli } from './cli.mjs';
import { ROOT } from './packages.mjs';
import { placeRuntime } from './runtime.mjs';
import { runTool } from './tools.mjs';

const { values } = parseArgs({
  options: { debug: { type: 'boolean', default: false }, 'source-maps': { type: 'boolean', default: false } },
});
const sourceMaps = values['source-maps'];

if (spawnSync('cargo', ['--version']).error) {
  console.error(
    'Building sentence-embedder from source needs Rust, but cargo was not found. Install it with rustup, open a new ' +
      'terminal and run npm install again.',
  );
  process.exit(1);
}

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
runTool('typescript', 'tsc', ['--project', 'tsconfig.build.json', '--sourceMap', String(sourceMaps)]);
buildEsAdapters();
await buildCli({ sourceMaps });
const profile = values.debug ? [] : ['--release'];
runTool('@napi-rs/cli', 'napi', ['build', '--platform', '--no-js', '--dts', '.cache/addon.d.ts', ...profile]);
await placeRuntime();
