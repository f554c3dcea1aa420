// Runs the Rust tests with what they need from elsewhere: npm run test:rust -- [arguments of cargo test]
// The ONNX Runtime library that the build put beside the addon, and the real tokenizer of XLM-RoBERTa.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fetchModel } from './models.mjs';
import { placeRuntime } from './runtime.mjs';
import { ROOT } from './packages.mjs';

const library = await placeRuntime();
const env = {
  ...(library ? { ORT_DYLIB_PATH: library } : {}),
  SENTENCE_EMBEDDER_XLMR_TOKENIZER: join(await fetchModel('xlm-roberta-tokenizer'), 'tokenizer.json'),
  ...process.env,
};
const { status, error } = spawnSync('cargo', ['test', ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit', env });
if (error) throw error;
process.exitCode = status ?? 1;
