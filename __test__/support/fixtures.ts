// The tiny models of __test__/fixtures: their folders, and the vectors that they must give.

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { LoadOptions } from 'sentence-embedder';

const FIXTURES = resolve(__dirname, '..', 'fixtures');

interface Edits {
  about: string;
  base: string;
  remove?: string[];
  copy?: Record<string, string>;
  write?: Record<string, unknown>;
  truncate?: Record<string, number>;
}

export interface Loads {
  info: Record<string, unknown>;
  options?: LoadOptions;
  reference: string | null;
}

export interface Refused {
  code: string;
  names: string[];
}

export type Variant = Edits & ({ loads: Loads; refused?: never } | { loads?: never; refused: Refused });

interface References {
  texts: string[];
  tolerance: Record<'normalized' | 'raw', { max_abs: number; cosine: number }>;
  encodings: Record<string, { token_counts_before_truncation: number[]; max_tokens: number }>;
  references: Record<string, { encoding: string; normalize: boolean; vectors: number[][] }>;
}

const readJson = (name: string): unknown => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'));

export const variants = readJson('variants.json') as Record<string, Variant>;

const references = readJson('reference.json') as References;

/** The texts that every reference has a vector for. */
export const { texts } = references;

/** The vectors, token counts and tolerance that `reference` names. */
export function reference(name: string): {
  vectors: number[][];
  tokenCounts: number[];
  maxTokens: number;
  tolerance: { max_abs: number; cosine: number };
} {
  const found = references.references[name];
  const encoding = found && references.encodings[found.encoding];
  if (!encoding) throw new Error(`reference.json has no reference ${name}`);
  return {
    vectors: found.vectors,
    tokenCounts: encoding.token_counts_before_truncation,
    maxTokens: encoding.max_tokens,
    tolerance: references.tolerance[found.normalize ? 'normalized' : 'raw'],
  };
}

/** A committed model folder that loads as it is. */
export const modelFolder = (base: 'bert' | 'xlmr' | 'mpnet'): string => join(FIXTURES, base);

/** Makes the folder of a variant below `parent` and says where. */
export function makeVariant(parent: string, name: string): string {
  const variant = variants[name];
  if (!variant) throw new Error(`variants.json has no variant ${name}`);
  const folder = join(parent, name);
  cpSync(join(FIXTURES, variant.base), folder, { recursive: true });
  for (const path of variant.remove ?? []) rmSync(join(folder, path), { recursive: true });
  for (const [path, from] of Object.entries(variant.copy ?? {})) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(FIXTURES, from), join(folder, path));
  }
  for (const [path, content] of Object.entries(variant.write ?? {})) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  for (const [path, length] of Object.entries(variant.truncate ?? {})) truncateSync(join(folder, path), length);
  return folder;
}

/** An empty folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  // Without links, as the paths in an index are: that of macOS is one.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sentence-embedder-test-')));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
