// What every contender embeds: chunks of real prose and short queries, the same in every run.

import { readFileSync } from 'node:fs';

const TITLE_PAGE = 'Alice was beginning to get very tired';

/** Texts of one call, as the host app sends them. */
export const BATCH_SIZE = 32;

/** Short queries of 5 to 10 words, as someone types them into a search box. */
export const QUERIES = [
  'who stole the tarts from the queen',
  'what the caterpillar said to Alice about growing',
  'conversation between the hatter and the dormouse at tea',
  'a white rabbit looking at its watch',
  'how does Alice become small enough for the door',
  'croquet played with flamingoes and hedgehogs',
  'the grin that stayed after the cat had gone',
  'lessons at school in the sea',
  'Why is a raven like a writing desk?',
  'verdict of the jury in the trial',
  'falling down a very deep well',
  'a baby that turns into a pig',
  'mock turtle telling a sad story about soup',
  'the duchess and her moral for everything',
  'swimming in a pool of her own tears',
  'gardeners painting white roses red before the queen comes',
];

/**
 * The first `count` chunks of the book, each as many whole words as fit into `size` characters.
 * @param {number} size
 * @param {number} count
 * @returns {string[]}
 */
export function chunks(size, count) {
  const book = readFileSync(new URL('texts/alice.txt', import.meta.url), 'utf8');
  const prose = book.slice(book.indexOf(TITLE_PAGE)).replace(/\s+/g, ' ');
  const found = [];
  for (let start = 0; found.length < count;) {
    if (start + size >= prose.length)
      throw new RangeError(`The book has no ${String(count)} chunks of ${String(size)}`);
    const end = prose.lastIndexOf(' ', start + size);
    found.push(prose.slice(start, end));
    start = end + 1;
  }
  return found;
}

/**
 * `texts` in calls of `size`.
 * @param {readonly string[]} texts
 * @param {number} [size]
 * @returns {string[][]}
 */
export function batches(texts, size = BATCH_SIZE) {
  const found = [];
  for (let start = 0; start < texts.length; start += size) found.push(texts.slice(start, start + size));
  return found;
}
