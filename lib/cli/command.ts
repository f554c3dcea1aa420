/** What a command of the command line is, and how it refuses what it cannot understand. */

import type { ParseArgsConfig } from 'node:util';

/** Options as `parseArgs` takes them. */
export type OptionTable = NonNullable<ParseArgsConfig['options']>;

/** What the user wrote. */
export interface Input {
  /** Options by name: a text for one with a value, `true` for a switch. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  /** What is no option. */
  readonly operands: readonly string[];
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal;
}

/** One command: its file has everything about it, and main.ts lists it. */
export interface Command {
  readonly name: string;
  /** What follows the name in the help. */
  readonly usage: string;
  /** What it does, in one line without a full stop. */
  readonly summary: string;
  /** What its operands and options mean, a line each: name and meaning with two spaces or more between, and then the default. */
  readonly details: readonly string[];
  /** What else is to be known, in lines for people. */
  readonly notes?: readonly string[];
  /** What follows the name in examples. */
  readonly examples?: readonly string[];
  /** Exit statuses that only this command has, as in `details`. */
  readonly statuses?: readonly string[];
  readonly options: OptionTable;
  /** Most operands that it takes. */
  readonly operands: number;
  /** Whether an interrupted run leaves what the next one goes on from. */
  readonly resumes?: boolean;
  run(input: Input): Promise<void>;
}

/** The help of `--cache-dir`, which most commands have. */
export const CACHE_DETAIL =
  '--cache-dir FOLDER  Model cache (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub)';

/** A mistake of the user's, as opposed to one of this program or of the world. */
export class UsageError extends Error {}

/** The option as a text, if it was given. */
export function text(input: Input, name: string): string | undefined {
  const value = input.options[name];
  return typeof value === 'string' ? value : undefined;
}

/** Writes a line for the user. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
