/** Numbers on the command line. */

import { text, UsageError, type Input } from './command.js';

/** The option as a whole number of at least 1, if it was given. */
export function wholeNumber(input: Input, name: string): number | undefined {
  const given = text(input, name);
  return given === undefined ? undefined : read(name, given);
}

/** The option as whole numbers of at least 1 with commas between them, if it was given. */
export function wholeNumbers(input: Input, name: string): number[] | undefined {
  return text(input, name)
    ?.split(',')
    .map((given) => read(name, given));
}

function read(name: string, given: string): number {
  const value = Number(given);
  if (given.trim() === '' || !Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`Expected whole numbers of at least 1 for --${name} but received ${JSON.stringify(given)}`);
  }
  return value;
}
