/** `search`: asks an index a question. */

import { relative, resolve, sep } from 'node:path';
import { styleText } from 'node:util';
import { ask, type Hit } from '../search/searching.js';
import { lanceDb } from '../search/lance.js';
import { withNamedModel } from '../search/named-model.js';
import { expectIndex, Store } from '../search/store.js';
import { say, text, UsageError, type Command } from './command.js';
import { printable } from './format.js';
import { loadOptions, MODEL_OPTIONS, modelDetails, withModel } from './model-options.js';
import { wholeNumber } from './numbers.js';

const LIMIT = 5;
/** The sentences of every passage are embedded, too. */
const MOST = 10_000;

export const search: Command = {
  name: 'search',
  usage: '"QUESTION" --db PATH [--limit N] [--json] [--model MODEL] ...',
  summary: 'Find the passages in an index that answer a question',
  details: [
    'QUESTION  In your own words: the search compares meanings, not letters',
    '--db PATH  Index to search, made by `index`',
    `--limit N  Most passages to show, up to ${String(MOST)} (default: ${String(LIMIT)})`,
    '--json  Print one JSON object',
    ...modelDetails('the model and precision of the index'),
  ],
  notes: [
    'A model other than that of the index is refused.',
    '',
    'Each passage is printed with its file, line and cosine similarity to the question, from -1 to 1. On a terminal, the',
    'sentence nearest to the question is bold; NO_COLOR=1 turns colours off.',
    '',
    '--json prints { "question", "model", "results": [{ "path", "line", "score", "text", "highlight" }] }, best first.',
    '"path" is absolute, "line" is where "text" begins, counted from 1, and text.slice(highlight.start, highlight.end) is',
    'the nearest sentence.',
  ],
  examples: [
    '"why does bread get bigger?" --db ./notes.index',
    '"how is the oven cleaned?" --db ./notes.index --limit 1 --json',
  ],
  options: {
    db: { type: 'string' },
    limit: { type: 'string' },
    json: { type: 'boolean' },
    ...MODEL_OPTIONS,
  },
  operands: 1,
  async run(input) {
    const [question] = input.operands;
    const db = text(input, 'db');
    if (question === undefined || question.trim() === '')
      throw new UsageError('Missing QUESTION: what to search for, in quotes');
    if (db === undefined) throw new UsageError('Missing --db PATH: the index to search');
    const limit = wholeNumber(input, 'limit', MOST) ?? LIMIT;
    // Before the model, which may have to be fetched.
    const lance = lanceDb();
    const database = resolve(db);
    expectIndex(database);
    await withModel(await withNamedModel(database, loadOptions(input)), async (embedder) => {
      const store = await Store.open(lance, database, embedder);
      const results = await ask(question, limit, embedder, store, input.signal);
      if (input.options['json'] === true) {
        say(JSON.stringify({ question, model: embedder.info.model, results }, null, 2));
      } else {
        for (const line of results.flatMap(shown)) say(line);
        if (results.length === 0) process.stderr.write(`The index in ${database} is empty\n`);
      }
    });
  },
};

/** A passage for people. */
function shown({ path, line, score, text, highlight: { start, end } }: Hit): string[] {
  const part = (from: number, to?: number): string => printable(text.slice(from, to));
  const passage = part(0, start) + styled('bold', part(start, end)) + part(end);
  return [
    `${styled('cyan', `${printable(short(path))}:${String(line)}`)}  ${score.toFixed(3)}`,
    ...passage.split('\n').map((one) => `    ${one}`),
    '',
  ];
}

/** In colour on a terminal that has it, unless NO_COLOR says otherwise. Node before 20.12 cannot. */
function styled(style: 'bold' | 'cyan', part: string): string {
  const inColour = process.stdout.isTTY && process.stdout.hasColors() && typeof (styleText as unknown) === 'function';
  return inColour ? styleText(style, part) : part;
}

/** The path as one would type it here, if it is below. */
function short(path: string): string {
  const here = relative(process.cwd(), path);
  return here.startsWith(`..${sep}`) ? path : here;
}
