// Runs the Rust tests with the ONNX Runtime library that the build put beside the addon: npm run test:rust -- [arguments]

import { spawnSync } from 'node:child_process';
import { placeRuntime } from './runtime.mjs';
import { ROOT } from './packages.mjs';

const library = await placeRuntime();
const env = library ? { ORT_DYLIB_PATH: library, ...process.env } : process.env;
const { status, error } = spawnSync('cargo', ['test', ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit', env });
if (error) throw error;
process.exitCode = status ?? 1;
