/** Cuts a text into passages that the model can read whole, at the borders of sentences, each with the end of the one before. */

import type { Embedder } from '../embedder.js';
import { throwIfAborted } from '../errors.js';

/** A part of a text: `text.slice(start, end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A passage of a text. */
export interface Passage {
  readonly text: string;
  /** The number of its first line, from 1. */
  readonly line: number;
}

/** Longer passages say too many things for one vector, even if the model could read them. */
const MOST_TOKENS = 256;

/**
 * Characters of a passage at most, as one token may stand for any number of them. Also how much is looked through at once:
 * sentences of a long text are found in a time that grows with its square, and meanwhile nothing else happens.
 */
const MOST_CHARACTERS = 10_000;

/** The share of a passage that the next one may begin with. */
const OVERLAP = 1 / 5;

/** What counts the tokens. */
type Counter = Pick<Embedder, 'countTokens' | 'info'>;

/** Cuts texts for one model. */
export class Cutter {
  readonly #counter: Counter;
  /** Tokens that the model puts around every text. */
  readonly #around: number;
  /** Tokens of a passage without those. */
  readonly #budget: number;

  private constructor(counter: Counter, around: number, budget: number) {
    this.#counter = counter;
    this.#around = around;
    this.#budget = budget;
  }

  /** A cutter for passages that `prompt` is put before. */
  static async for(counter: Counter, prompt: string): Promise<Cutter> {
    const [around = 0, prompted = 0] = await counter.countTokens(['', prompt]);
    // However little the model reads: a passage has some tokens.
    const budget = Math.max(Math.min(counter.info.maxTokens, MOST_TOKENS) - prompted, 4);
    return new Cutter(counter, around, budget);
  }

  /** The passages of a text, in their order. Nothing but white space is left out. */
  async cut(text: string, signal: AbortSignal): Promise<Passage[]> {
    const pieces: Piece[] = [];
    let sentences: Span[] = [];
    for (const sentence of sentencesOf(text)) {
      sentences.push(sentence);
      if (sentence.end - (sentences[0]?.start ?? 0) < MOST_CHARACTERS) continue;
      // While tokens are counted, signals of the system are seen.
      pieces.push(...(await this.#measured(text, sentences)));
      throwIfAborted(signal);
      sentences = [];
    }
    pieces.push(...(await this.#measured(text, sentences)));
    const passages: Passage[] = [];
    let [line, counted] = [1, 0];
    for (const span of packed(text, pieces, this.#budget)) {
      const { start, end } = trimmed(text, span);
      if (start === end) continue;
      for (; counted < start; counted += 1) if (endsLine(text, counted)) line += 1;
      passages.push({ text: text.slice(start, end), line });
    }
    return passages;
  }

  /** The spans with their tokens; those that are too long are halved until they are not. */
  async #measured(text: string, spans: readonly Span[]): Promise<Piece[]> {
    const pieces: Piece[] = [];
    for (let left = spans; left.length > 0;) {
      const counts = await this.#counter.countTokens(left.map(({ start, end }) => text.slice(start, end)));
      left = left.flatMap((span, at) => {
        const tokens = (counts[at] ?? 0) - this.#around;
        if (tokens > this.#budget && span.end - span.start > 2) return halved(text, span);
        pieces.push({ ...span, tokens });
        return [];
      });
    }
    return pieces.sort((a, b) => a.start - b.start);
  }
}

interface Piece extends Span {
  readonly tokens: number;
}

const SENTENCES = new Intl.Segmenter(undefined, { granularity: 'sentence' });

/** The sentences of a text: together they are the whole text. One that is too long for a passage comes in parts. */
export function* sentencesOf(text: string): Generator<Span> {
  for (const { start, end } of paragraphsOf(text)) {
    let from = start;
    while (from < end) {
      const whole = end - from <= MOST_CHARACTERS;
      const to = whole ? end : placeToCut(text, from, from + MOST_CHARACTERS);
      const sentences = segmented(text, { start: from, end: to });
      // The last one may go on behind what was looked at: the next look begins with it.
      if (!whole && sentences.length > 1) sentences.pop();
      yield* sentences;
      from = sentences.at(-1)?.end ?? to;
    }
  }
}

function segmented(text: string, { start, end }: Span): Span[] {
  // To the segmenter the end of a line ends a sentence: but lines were wrapped to be read, and sentences go on.
  const part = text.slice(start, end).replace(/[\r\n]/g, ' ');
  return Array.from(SENTENCES.segment(part), ({ index, segment }) => {
    return { start: start + index, end: start + index + segment.length };
  });
}

/** What is between blank lines; a heading is a paragraph of its own. */
function* paragraphsOf(text: string): Generator<Span> {
  let start = 0;
  for (const { index, 0: line } of text.matchAll(/[^\r\n]*(?:\r\n?|\n)|[^\r\n]+$/g)) {
    const end = index + line.length;
    const heading = isHeading(text, index);
    if (heading && index > start) {
      yield { start, end: index };
      start = index;
    }
    if (heading || line.trim() === '' || end === text.length) {
      yield { start, end };
      start = end;
    }
  }
}

/** Whether a line ends with the character: with `\n`, with `\r\n` or, as on the oldest Macs, with `\r`. */
function endsLine(text: string, at: number): boolean {
  return text[at] === '\n' || (text[at] === '\r' && text[at + 1] !== '\n');
}

function isHeading(text: string, at: number): boolean {
  return text[at] === '#' && /^#{1,6} /.test(text.slice(at, at + 7));
}

/** Two parts of a span. */
function halved(text: string, { start, end }: Span): Span[] {
  const at = placeToCut(text, start, Math.floor((start + end) / 2));
  return [
    { start, end: at },
    { start: at, end },
  ];
}

/** The last place after `start` and up to `end` that is between two words, else `end`; it is never within a character. */
function placeToCut(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && !/\s/.test(text[at] ?? '')) at -= 1;
  if (at > start) return at;
  return /[\uDC00-\uDFFF]/.test(text[end] ?? '') ? end + 1 : end;
}

/** Puts pieces together while they fit. A section begins a passage, and no passage begins with the end of another section. */
function packed(text: string, pieces: readonly Piece[], budget: number): Span[] {
  const spans: Span[] = [];
  let first = 0;
  let tokens = 0;
  let inHeadings = true;
  pieces.forEach((piece, at) => {
    const heading = isHeading(text, piece.start);
    const section = heading && !inHeadings;
    inHeadings = heading;
    const tooLong = tokens + piece.tokens > budget || isTooLong(pieces[first] ?? piece, piece);
    if (at > first && (section || tooLong)) {
      spans.push(joined(pieces.slice(first, at)));
      const earliest = section ? at : first + 1;
      const room = Math.min(budget * OVERLAP, budget - piece.tokens);
      [first, tokens] = [at, 0];
      for (let before = pieces[first - 1]; first > earliest && before; before = pieces[first - 1]) {
        if (tokens + before.tokens > room || isTooLong(before, piece)) break;
        tokens += before.tokens;
        first -= 1;
      }
    }
    tokens += piece.tokens;
  });
  if (first < pieces.length) spans.push(joined(pieces.slice(first)));
  return spans;
}

/** Whether there are too many characters from one to the other, both included. */
const isTooLong = (first: Span, last: Span): boolean => last.end - first.start > MOST_CHARACTERS;

/** From the start of the first to the end of the last. */
function joined(spans: readonly Span[]): Span {
  return { start: spans[0]?.start ?? 0, end: spans.at(-1)?.end ?? 0 };
}

/** A span without the white space around it. */
export function trimmed(text: string, { start, end }: Span): Span {
  const part = text.slice(start, end);
  const from = start + part.length - part.trimStart().length;
  return { start: from, end: Math.max(from, start + part.trimEnd().length) };
}
