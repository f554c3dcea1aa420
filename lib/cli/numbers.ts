/** Numbers on the command line. */

import { text, UsageError, type Input } from './command.js';

/** The option as a whole number from 1 to `most`, if it was given. */
export function wholeNumber(input: Input, name: string, most = Infinity): number | undefined {
  const given = text(input, name);
  return given === undefined ? undefined : read(name, given, most, 'a whole number');
}

/** The option as whole numbers from 1 to `most` with commas between them, if it was given. */
export function wholeNumbers(input: Input, name: string, most: number): number[] | undefined {
  return text(input, name)
    ?.split(',')
    .map((given) => read(name, given, most, 'whole numbers'));
}

function read(name: string, given: string, most: number, expected: string): number {
  const value = Number(given);
  // Number reads 1e9 and 0x10, too, which few mean.
  if (!/^\d+$/.test(given) || !Number.isSafeInteger(value) || value < 1 || value > most) {
    const range = most === Infinity ? 'of at least 1' : `from 1 to ${String(most)}`;
    throw new UsageError(`Expected ${expected} ${range} for --${name} but received ${JSON.stringify(given)}`);
  }
  return value;
}
