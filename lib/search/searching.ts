/** Answers a question from an index: the nearest passages, and in each the sentence that is nearest. */

import { Roles } from '../adapters/roles.js';
import type { Embedder } from '../embedder.js';
import { topK } from '../vectors.js';
import { sentencesOf, trimmed, type Span } from './passages.js';
import type { FoundRow, Store } from './store.js';

/** A passage that was found. */
export interface Hit extends FoundRow {
  /** The sentence that says most of what was asked: `text.slice(start, end)`. */
  readonly highlight: Span;
}

/** The `limit` passages that are nearest to `question`, best first. */
export async function ask(
  question: string,
  limit: number,
  embedder: Embedder,
  store: Store,
  signal: AbortSignal,
): Promise<Hit[]> {
  const roles = new Roles(embedder);
  const [query = new Float32Array()] = (await roles.embed('query', [question], { signal })).vectors;
  const found = await store.nearest(query, limit);
  const sentences = found.map(({ text }) => {
    const spans = Array.from(sentencesOf(text), (span) => trimmed(text, span));
    return spans.filter(({ start, end }) => start < end);
  });
  const texts = found.flatMap(({ text }, at) => (sentences[at] ?? []).map(({ start, end }) => text.slice(start, end)));
  const { vectors } = await roles.embed('document', texts, { signal, priority: 'interactive' });
  let next = 0;
  return found.map((row, at) => {
    const spans = sentences[at] ?? [];
    const best = topK(query, vectors.slice(next, next + spans.length), 1)[0]?.index ?? 0;
    next += spans.length;
    return { ...row, highlight: spans[best] ?? { start: 0, end: row.text.length } };
  });
}
