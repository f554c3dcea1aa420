#!/usr/bin/env node
/** The command line: finds the command, reads its options, and turns failures into a line and an exit status. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { codeOf } from '../errors.js';
import { bench } from './bench.js';
import { say, UsageError, type Command, type Input, type OptionTable } from './command.js';
import { doctor } from './doctor.js';
import { helpOf, NAME, overview, suggestion, usageOf } from './help.js';
import { index } from './index-folder.js';
import { models } from './models.js';
import { prepare } from './prepare.js';
import { pull } from './pull.js';
import { replay } from './replay.js';
import { rm } from './rm.js';
import { search } from './search.js';

/** Every command: a new one is a file and a line here. */
const COMMANDS: readonly Command[] = [pull, prepare, models, rm, index, search, doctor, bench, replay];

async function main(words: readonly string[]): Promise<void> {
  const [name, ...rest] = words;
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    const lines = rest[0] === undefined ? overview(COMMANDS) : helpOf(commandNamed(rest[0]));
    for (const line of lines) say(line);
    return;
  }
  if (name === '--version') {
    const manifest = readFileSync(join(__dirname, '..', 'package.json'), 'utf8');
    say((JSON.parse(manifest) as { version: string }).version);
    return;
  }
  const command = commandNamed(name);
  const { options, operands } = read(command, rest);
  if (options['help'] === true) {
    for (const line of helpOf(command)) say(line);
    return;
  }
  const interrupted = new AbortController();
  const interrupt = (by: NodeJS.Signals): void => {
    interrupted.abort(by);
  };
  // Both leave time to put the terminal back as it was.
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    await command.run({ options, operands, signal: interrupted.signal });
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function commandNamed(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  const names = COMMANDS.map((candidate) => candidate.name);
  throw new UsageError(`Unknown command ${name}.${suggestion(name, names)} Run "${NAME} --help" for a list`);
}

function read(command: Command, words: string[]): Pick<Input, 'options' | 'operands'> {
  const usage = usageOf(command);
  const options = { ...command.options, help: { type: 'boolean', short: 'h' } } satisfies OptionTable;
  try {
    const { tokens } = parseArgs({ args: words, options, strict: false, tokens: true });
    for (const token of tokens) {
      if (token.kind !== 'option' || token.name in options) continue;
      const meant = suggestion(token.name, Object.keys(options), '--');
      throw new UsageError(`Unknown option ${token.rawName}.${meant}\n${usage}`);
    }
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true, strict: true });
    if (positionals.length > command.operands) {
      throw new UsageError(`Unexpected argument ${positionals[command.operands] ?? ''}\n${usage}`);
    }
    expectNoneEmpty(command, values, positionals);
    return { options: values, operands: positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
}

/** Refuses what a variable that is not set leaves: as a path, an empty text would be the current folder. */
function expectNoneEmpty({ name }: Command, options: Input['options'], operands: Input['operands']): void {
  const option = Object.keys(options).find((key) => options[key] === '');
  if (option !== undefined) throw new UsageError(`Expected a value for --${option} but received an empty string`);
  if (operands.includes('')) throw new UsageError(`Expected no empty arguments for ${name}`);
}

/** The message, and those of its causes that it does not have already. */
function told(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) lines.push(at.message);
  return lines.length > 0 ? lines.join('\n  caused by: ') : String(error);
}

// Whoever reads may have read enough, as `head` has: that is no failure, and no reason to leave the work undone.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.exitCode = 1;
    if (stream === process.stdout) process.stderr.write(`Cannot write to stdout: ${error.message}\n`);
  });
}

const words = process.argv.slice(2);
main(words).catch((error: unknown) => {
  const code = codeOf(error);
  if (code === 'ERR_EMBED_ABORTED') {
    const resumes = COMMANDS.find(({ name }) => name === words[0])?.resumes === true;
    process.stderr.write(
      `Interrupted.${resumes ? ' What is done is kept: run the same command again to continue.' : ''}\n`,
    );
    process.exitCode = 130;
    // Whoever sent it, such as a supervisor, sees it obeyed.
    if (error instanceof Error && error.cause === 'SIGTERM') process.kill(process.pid, 'SIGTERM');
    return;
  }
  process.stderr.write(`${code === undefined ? '' : `${code}: `}${told(error)}\n`);
  process.exitCode = error instanceof UsageError || code === 'ERR_EMBED_INVALID_ARGUMENT' ? 2 : 1;
});
