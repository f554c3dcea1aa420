/** Checks of what the native side never sees: what was expected, for what, and what came. */

import { signalOf } from './abort.js';
import { describe } from './errors.js';

/** Says what is wrong with a value, or nothing. */
export type Check = (value: unknown) => string | undefined;

/** The names that an object may have, each with its check, or with the names of the object that it is. */
export type Checks = Readonly<Record<string, Check | Readonly<Record<string, Check>>>>;

export const text: Check = (value) => (typeof value === 'string' ? undefined : 'a string');
export const callback: Check = (value) => (typeof value === 'function' ? undefined : 'a function');
export const plain: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'an object';
export const abortSignal: Check = (value) => (signalOf({ signal: value }) ? undefined : 'an AbortSignal');
export const word =
  (...words: string[]): Check =>
  (value) =>
    words.includes(value as string) ? undefined : words.map((it) => `'${it}'`).join(' or ');

/** What is wrong with an object: names that nobody knows, and values. What is undefined counts as not there. */
export function problemsIn(config: unknown, checks: Checks, path: string): string[] {
  const wrong = plain(config);
  if (wrong) return [`Expected ${wrong} for ${path} but received ${describe(config)}`];
  return Object.entries(config as object).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined) return [];
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) return [`Expected only known names in ${path} but received ${path}.${name} (${describe(value)})`];
    if (typeof check === 'object') return problemsIn(value, check, `${path}.${name}`);
    const expected = check(value);
    return expected ? [`Expected ${expected} for ${path}.${name} but received ${describe(value)}`] : [];
  });
}
