/** The configuration of the drop-in embedders: every default and range, once. */

import { abortSignal, callback, plain, problemsIn, word, type Check } from '../checks.js';
import { describe } from '../errors.js';
import type { EmbedderKind, IEmbedderConfig } from './iembedder.js';

export const DEFAULT_MODEL = 'sentence-transformers/paraphrase-multilingual-mpnet-base-v2';
export const SIDECAR_URL = 'http://127.0.0.1:8421';
export const OLLAMA_URL = 'http://127.0.0.1:11434';
export const START_TIMEOUT_MS = 120_000;
export const TEST_DIMENSION = 768;

/** Characters up to which a text counts as short. */
export const SHORT_TEXT = 200;

/** How often in a row an interactive batch may go before a bulk batch that waits, as in src/config.rs. */
export const MAX_OVERTAKES = 8;

/** How often a failed session is replaced without a success between. */
export const MAX_REBUILDS = 3;

/** How much memory must grow after a restart that did not help before the next one is advised. */
export const GROWTH_AFTER_RESTART = 1.25;

/** The longest time that a timer of JavaScript can hold. */
const MAX_TIMER_MS = 2_147_483_647;

const DEFAULTS = {
  batchSize: 32,
  normalizeVectors: true,
  timeout: 30_000,
  retries: 2,
  retryDelay: 1000,
  autoStart: true,
  autoRestart: true,
  maxFilesBeforeRestart: 5000,
  maxMemoryMB: 1500,
  drainTimeout: 10_000,
};

/** The options that all kinds have, with their defaults filled in. */
export type Settings = typeof DEFAULTS & Pick<IEmbedderConfig, 'onEvent' | 'modelName'>;

/** The configuration with the defaults for what is missing or undefined. */
export function settingsOf(config: IEmbedderConfig): Settings {
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  return { ...DEFAULTS, ...(given as Partial<Settings>) };
}

/**
 * A configuration as it is when an embedder is made. What an app changes in it afterwards would count at the next restart,
 * whose vectors then do not match those before.
 */
export function captured<C extends IEmbedderConfig>(given: C): C {
  if (plain(given)) return given; // which the checks say
  const config: Record<string, unknown> = entriesOf(given);
  for (const part of ['load', 'sidecar', 'ollama']) {
    if (!plain(config[part])) config[part] = entriesOf(config[part] as object);
  }
  return config as C;
}

/** A copy of an object, with what it inherits from another that it was made over. */
function entriesOf(it: object): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const name in it) entries.push([name, it[name as keyof typeof it]]);
  return Object.fromEntries(entries);
}

const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `a whole number from ${String(least)} to ${String(most)}`;
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
const filled: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'a non-empty string');
const address: Check = (value) => {
  const expected = 'an http or https address without user name, password, query or fragment';
  if (typeof value !== 'string' || /[?#]/.test(value) || !URL.canParse(value)) return expected;
  const { protocol, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && username === '' && password === '' ? undefined : expected;
};
const strings: Check = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? undefined : 'an array of strings';

/** What the embedder itself decides of a load. */
const OWN_OF_LOAD = ['model', 'normalize', 'onProgress', 'signal'];
const loading: Check = (value) => {
  const own = OWN_OF_LOAD.find((name) => typeof value === 'object' && value !== null && name in value);
  return plain(value) ?? (own === undefined ? undefined : `an object without ${own}, which other options set,`);
};

const COMMON: Record<string, Check> = {
  modelName: filled,
  batchSize: whole(1, 4096),
  normalizeVectors: flag,
  timeout: whole(1, MAX_TIMER_MS),
  retries: whole(0, 100),
  retryDelay: whole(0, 60_000),
  autoStart: flag,
  autoRestart: flag,
  maxFilesBeforeRestart: whole(1, Number.MAX_SAFE_INTEGER),
  maxMemoryMB: whole(1, Number.MAX_SAFE_INTEGER),
  drainTimeout: whole(0, MAX_TIMER_MS),
  onEvent: callback,
};

const OF_CALL: Record<string, Check> = {
  signal: abortSignal,
  priority: word('interactive', 'bulk'),
};

const SERVER: Record<string, Check> = { url: address, startTimeout: whole(1, MAX_TIMER_MS) };

/** Options that only one kind has. Those of `load` are checked where they are used, on the native side. */
const OF_KIND: Record<EmbedderKind, Record<string, Check | Record<string, Check>>> = {
  native: { load: loading },
  isolated: { load: loading },
  sidecar: { sidecar: { ...SERVER, model: filled, pooling: word('mean', 'cls', 'max'), command: plain } },
  ollama: { ollama: { ...SERVER, model: filled } },
  custom: { custom: { embed: callback, fingerprint: filled, close: callback } },
  test: { dimension: whole(1, 65_536) },
};

const KINDS = Object.keys(OF_KIND) as EmbedderKind[];

/**
 * What is wrong with a configuration of some kinds, the first of them first. Options of further kinds, which are kept for
 * another day, may be there and are checked too.
 */
export function problemsOf(
  config: unknown,
  kinds: readonly EmbedderKind[],
  kept: readonly EmbedderKind[] = [],
): string[] {
  const checks = Object.assign({}, COMMON, ...[...kinds, ...kept].map((kind) => OF_KIND[kind])) as typeof COMMON;
  const problems = problemsIn(config, checks, 'config');
  if (problems.length > 0) return problems;
  const { modelName, ollama, custom, sidecar } = config as {
    modelName?: string;
    ollama?: { model?: string };
    custom?: { embed?: unknown; fingerprint?: unknown };
    sidecar?: { command?: object };
  };
  if (kinds.includes('ollama') && ollama?.model === undefined && (kinds[0] !== 'ollama' || modelName === undefined)) {
    problems.push("Expected the name of Ollama's model for config.ollama.model but received nothing");
  }
  if (kinds.includes('custom') && (custom?.embed === undefined || custom.fingerprint === undefined)) {
    problems.push('Expected both embed and fingerprint for config.custom');
  }
  if (sidecar?.command) {
    const command: Record<string, Check> = { file: filled, args: strings, cwd: filled, env: plain };
    problems.push(...problemsIn(sidecar.command, command, 'config.sidecar.command'));
    if (!('file' in sidecar.command)) problems.push('Expected a program for config.sidecar.command.file');
  }
  return problems;
}

/** What is wrong with the configuration of a factory. */
export function problemsOfFactory(config: unknown): string[] {
  const wrong = plain(config);
  if (wrong) return [`Expected ${wrong} for config but received ${describe(config)}`];
  const { kind = 'native', fallback = [], indexDir, ...rest } = config as Record<string, unknown>;
  const problems: string[] = [];
  const known = word(...KINDS);
  const expect = (check: Check, value: unknown, path: string): void => {
    const expected = check(value);
    if (expected) problems.push(`Expected ${expected} for ${path} but received ${describe(value)}`);
  };
  expect(known, kind, 'config.kind');
  if (indexDir !== undefined) expect(filled, indexDir, 'config.indexDir');
  const others = Array.isArray(fallback) ? Array.from<unknown>(fallback) : undefined;
  if (others) {
    others.forEach((it, i) => {
      expect(known, it, `config.fallback[${String(i)}]`);
    });
    const twice = [kind, ...others].find((it, i, all) => all.indexOf(it) !== i);
    if (twice !== undefined) problems.push(`Expected each kind once but received ${describe(twice)} twice`);
  } else {
    problems.push(`Expected an array of kinds for config.fallback but received ${describe(fallback)}`);
  }
  if (problems.length > 0) return problems;
  return problemsOf(rest, [kind as EmbedderKind, ...((others ?? []) as EmbedderKind[])], KINDS);
}

/** What is wrong with the options of one call. */
export function problemsOfCall(options: unknown): string[] {
  return options === undefined ? [] : problemsIn(options, OF_CALL, 'options');
}
