/** Index stamps: files beside an index that record its vector space, so that spaces are never mixed. */

import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmbedderKind, VectorSpace } from './dropin/iembedder.js';
import type { Embedder } from './embedder.js';
import { describe, embedError } from './errors.js';
import { replaceFile } from './replace-file.js';
import type { Precision } from './types.js';

/** The stamp's file in the index's folder. */
const STAMP_FILE = '.embedding-stamp.json';

/** The integer that apps kept beside an index before there were stamps. */
const MARKER_FILE = '.db-version';

const FORMAT = 1;

/** What an index was made with: its vector space, and when the stamp was written. */
export interface IndexStamp extends VectorSpace {
  /** The integer in `.db-version` when the stamp was written; `null` if there was none. */
  readonly dbVersion: number | null;
  /** When the stamp was written, as ISO 8601. */
  readonly writtenAt: string;
}

/** An embedder with a known vector space: an {@link Embedder}, or a started {@link IEmbedder} of this package. */
export type Stampable = Embedder | { readonly space: VectorSpace | undefined };

/**
 * Whether the vectors of an embedder match those of an index.
 *
 * | verdict | meaning | what to do |
 * |---|---|---|
 * | `match` | the same vector space | continue |
 * | `compatible` | same model and precision, from another program or without a fingerprint | continue and write the stamp |
 * | `missing` | it is unknown what the index was made with | write the stamp if the index is empty, else re-index |
 * | `reindex` | a different vector space | re-index |
 */
export type IndexVerdict = 'match' | 'missing' | 'compatible' | 'reindex';

/** The result of {@link checkIndexStamp}. */
export interface IndexCheck {
  readonly verdict: IndexVerdict;
  /** The reason for the verdict, as a sentence. */
  readonly reason: string;
  /** The stamp found, or the one derived from `.db-version`. */
  readonly stamp?: IndexStamp;
  /** The integer in `.db-version`; `null` if there is none. */
  readonly dbVersion: number | null;
}

/** The vector space that an integer in `.db-version` stands for. */
export type LegacySpace = Partial<VectorSpace> & Pick<VectorSpace, 'kind' | 'model'>;

/** Options of {@link checkIndexStamp}. */
export interface IndexCheckOptions {
  /**
   * For indexes without a stamp: the vector space of each integer in `.db-version`. Omitted properties count as unknown,
   * except `normalize`, which defaults to true, and `precision` of a sidecar, which defaults to fp32.
   */
  legacy?: Readonly<Record<number, LegacySpace>> | undefined;
}

/** The vector space of a loaded model or of a started embedder. */
export function spaceOf(embedder: Stampable): VectorSpace {
  if (typeof (embedder as unknown) !== 'object' || (embedder as unknown) === null) {
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', `Expected an embedder but received ${describe(embedder)}`);
  }
  if ('info' in embedder) {
    const { model, revision, dimension, maxTokens, pooling, normalize, precision, fingerprint, modelFile } =
      embedder.info;
    // Another file than the plain one may hold fp16 or 8-bit weights: that it computes in fp32 then says too little.
    const plain = /(^|[\\/])model\.onnx$/.test(modelFile);
    const exact = { model, revision, dimension, maxTokens, pooling, normalize, fingerprint };
    return { kind: 'native', ...exact, precision: plain || precision !== 'fp32' ? precision : null };
  }
  if (embedder.space) return embedder.space;
  throw embedError(
    'ERR_EMBED_CLOSED',
    'The embedder is not initialized: its vector space is known once it has started',
  );
}

/** Reads the stamp in an index's folder; `undefined` if there is none or the file is not a valid stamp. */
export async function readIndexStamp(dir: string): Promise<IndexStamp | undefined> {
  return (await readStamp(dir)).stamp;
}

/**
 * Writes the stamp of `embedder` into an index's folder, which is created if needed. The file is replaced atomically:
 * readers see the old stamp or the new one.
 */
export async function writeIndexStamp(dir: string, embedder: Stampable): Promise<IndexStamp> {
  const space = spaceOf(embedder);
  const path = stampIn(dir);
  const stamp: IndexStamp = { ...space, dbVersion: await readMarker(dir), writtenAt: new Date().toISOString() };
  try {
    await mkdir(dir, { recursive: true });
    await replaceFile(path, `${JSON.stringify({ format: FORMAT, ...stamp }, null, 2)}\n`);
  } catch (cause) {
    const message = `Expected a writable folder for dir, but writing to ${dir} failed (${codeOfSystem(cause)})`;
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', message, { cause });
  }
  return stamp;
}

/** Checks whether vectors of `embedder` may be added to, and compared with, the index in `dir`. */
export async function checkIndexStamp(
  dir: string,
  embedder: Stampable,
  options: IndexCheckOptions = {},
): Promise<IndexCheck> {
  const now = spaceOf(embedder);
  const [{ stamp, problem }, dbVersion] = await Promise.all([readStamp(dir), readMarker(dir)]);
  if (stamp) {
    if (stamp.dbVersion !== null && dbVersion !== null && stamp.dbVersion !== dbVersion) {
      const change = `${MARKER_FILE} changed from ${String(stamp.dbVersion)} to ${String(dbVersion)}`;
      const reason = `${change} after the stamp was written: another program has rebuilt the index`;
      return { verdict: 'reindex', reason, stamp, dbVersion };
    }
    return { ...compare(stamp, now), stamp, dbVersion };
  }
  if (dbVersion === null) return { verdict: 'missing', reason: problem, dbVersion };
  const legacy = options.legacy?.[dbVersion];
  if (!legacy) {
    const reason = `${problem}, and ${MARKER_FILE} says ${String(dbVersion)}, which options.legacy does not explain`;
    return { verdict: 'missing', reason, dbVersion };
  }
  const unknown = { revision: null, maxTokens: null, pooling: null, fingerprint: null };
  const precision: Precision | null = legacy.kind === 'sidecar' ? 'fp32' : null;
  const former = {
    ...unknown,
    precision,
    dimension: now.dimension,
    normalize: true,
    ...legacy,
    // Where the process is that runs the model makes no difference, and stamps do not tell: see `space` of IsolatedEmbedder.
    kind: legacy.kind === 'isolated' ? ('native' as const) : legacy.kind,
    dbVersion,
    writtenAt: '',
  };
  const { verdict, reason } = compare(former, now);
  return { verdict, reason: `${MARKER_FILE} says ${String(dbVersion)}: ${reason}`, stamp: former, dbVersion };
}

/** Kinds that run the models of sentence-transformers as sentence-transformers does. */
const SENTENCE_TRANSFORMERS: ReadonlySet<EmbedderKind> = new Set(['native', 'sidecar']);

function compare(was: VectorSpace, now: VectorSpace): Pick<IndexCheck, 'verdict' | 'reason'> {
  // Not every kind's fingerprint tells of its vectors' length and scale.
  const isSameShape = was.dimension === now.dimension && was.normalize === now.normalize;
  if (was.fingerprint !== null && was.fingerprint === now.fingerprint && was.kind === now.kind && isSameShape) {
    return { verdict: 'match', reason: `The index was made with ${title(now)}, the same model` };
  }
  const related = SENTENCE_TRANSFORMERS.has(was.kind) && SENTENCE_TRANSFORMERS.has(now.kind);
  if (was.kind !== now.kind && !related) {
    return {
      verdict: 'reindex',
      reason: `The index was made with ${title(was)}, and ${title(now)} has a different vector space`,
    };
  }
  const differences = differencesOf(was, now);
  if (differences.length > 0) {
    return {
      verdict: 'reindex',
      reason: `The index was made with ${title(was)}, which differs in ${differences.join(', ')}`,
    };
  }
  if (was.fingerprint !== null && now.fingerprint !== null) {
    const reason = `The index was made with ${title(was)}, but with different weights or a different tokenizer`;
    return { verdict: 'reindex', reason };
  }
  if (was.kind === now.kind && was.fingerprint === now.fingerprint) {
    return { verdict: 'match', reason: `The index was made with ${title(now)}, as far as its stamp tells` };
  }
  if (!related) {
    return { verdict: 'reindex', reason: `It is unknown whether ${title(was)} is still the same model` };
  }
  const reason = `The index was made with ${title(was)}: ${title(now)} gives the same vectors, up to rounding`;
  return { verdict: 'compatible', reason };
}

function differencesOf(was: VectorSpace, now: VectorSpace): string[] {
  const differences: string[] = [];
  const expect = (name: string, before: unknown, after: unknown): void => {
    if (before !== after) differences.push(`${name} (${String(before)}, now ${String(after)})`);
  };
  const whereKnown = (name: string, before: unknown, after: unknown): void => {
    if (before !== null && after !== null) expect(name, before, after);
  };
  if (!isSameModel(was.model, now.model)) expect('model', plainName(was.model), plainName(now.model));
  expect('dimension', was.dimension, now.dimension);
  expect('normalisation', was.normalize, now.normalize);
  whereKnown('revision', was.revision, now.revision);
  whereKnown('pooling', was.pooling, now.pooling);
  whereKnown('max tokens', was.maxTokens, now.maxTokens);
  // Rounding apart, fp32 is fp32; of what is not known that cannot be said.
  expect('precision', was.precision ?? 'unknown', now.precision ?? 'unknown');
  return differences;
}

/** What is a path, whatever is on the disk. */
const PATH = /^([/\\.]|[a-z]:[/\\])/i;

/** Whether two names may be those of one model: an id, a bare name of sentence-transformers, or a folder called like it. */
export function isSameModel(one: string, other: string): boolean {
  const names = namesOf(other);
  return namesOf(one).some((name) => names.includes(name));
}

/** What looks like an id and is a folder, too, has two names: which was meant depends on the folder that a program runs in. */
function namesOf(model: string): string[] {
  const name = plainName(model);
  return !PATH.test(model) && existsSync(model) ? [name, folderName(model).toLowerCase()] : [name];
}

/** The name without the owner that sentence-transformers may leave out; of a path the folder's name. */
function plainName(model: string): string {
  return (PATH.test(model) ? folderName(model) : model).toLowerCase().replace(/^sentence-transformers\//, '');
}

function folderName(path: string): string {
  return path.split(/[/\\]/).findLast((part) => part !== '') ?? path;
}

/** The model, as messages name it. */
export function title({ kind, model, precision }: VectorSpace): string {
  return `${model} (${precision === null ? kind : `${kind}, ${precision}`})`;
}

/** The stamp's file in an index's folder. */
function stampIn(dir: unknown): string {
  if (typeof dir === 'string' && dir !== '') return join(dir, STAMP_FILE);
  throw embedError('ERR_EMBED_INVALID_ARGUMENT', `Expected the path of a folder for dir but received ${describe(dir)}`);
}

function codeOfSystem(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

async function readStamp(
  dir: string,
): Promise<{ stamp: IndexStamp; problem?: never } | { stamp?: never; problem: string }> {
  const path = stampIn(dir);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = codeOfSystem(error);
    const absent = code === 'ENOENT' || code === 'ENOTDIR';
    return { problem: absent ? `There is no stamp in ${dir}` : `${path} cannot be read (${code})` };
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { problem: `${path} is not JSON` };
  }
  const format = typeof content === 'object' && content !== null && 'format' in content ? content.format : undefined;
  if (typeof format === 'number' && format > FORMAT) {
    return { problem: `${path} was written by a newer version of this package` };
  }
  return isStamp(content) ? { stamp: pick(content) } : { problem: `${path} is not a stamp of this package` };
}

const KINDS: readonly unknown[] = ['native', 'sidecar', 'ollama', 'custom', 'test'] satisfies EmbedderKind[];

function isStamp(content: unknown): content is IndexStamp {
  if (typeof content !== 'object' || content === null) return false;
  const it = content as Record<string, unknown>;
  const isText = (value: unknown): boolean => typeof value === 'string';
  const isCount = (value: unknown): boolean => Number.isInteger(value);
  const orNull = (value: unknown, check: (value: unknown) => boolean): boolean => value === null || check(value);
  return (
    it['format'] === FORMAT &&
    KINDS.includes(it['kind']) &&
    isText(it['model']) &&
    isCount(it['dimension']) &&
    typeof it['normalize'] === 'boolean' &&
    isText(it['writtenAt']) &&
    ['revision', 'pooling', 'precision', 'fingerprint'].every((name) => orNull(it[name], isText)) &&
    ['maxTokens', 'dbVersion'].every((name) => orNull(it[name], isCount))
  );
}

/** Only what a stamp has: a file of the same format may say more. */
function pick(stamp: IndexStamp): IndexStamp {
  const { kind, model, revision, dimension, maxTokens, pooling, normalize, precision, fingerprint } = stamp;
  const space = { kind, model, revision, dimension, maxTokens, pooling, normalize, precision, fingerprint };
  return { ...space, dbVersion: stamp.dbVersion, writtenAt: stamp.writtenAt };
}

/** The integer in `.db-version`; nothing where there is no such file or it says something else. */
async function readMarker(dir: string): Promise<number | null> {
  const text = await readFile(join(dir, MARKER_FILE), 'utf8').catch(() => '');
  return /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : null;
}
