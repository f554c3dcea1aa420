// The real all-MiniLM-L6-v2 against sentence-transformers, however the texts are batched.

import { Embedder } from 'sentence-embedder';
import { expectVectors } from './support/expectations';
import { goldenVectors, miniLM } from './support/models';

const TOLERANCE = { max_abs: 2e-5, cosine: 0.99999 };
const golden = goldenVectors();
const { texts, vectors } = golden;
let embedder: Embedder;

beforeAll(async () => {
  embedder = await Embedder.load({ model: miniLM() });
});

afterAll(async () => {
  await embedder.close();
});

test('the model is read as sentence-transformers reads it', () => {
  expect(embedder.info).toMatchObject({
    model: 'sentence-transformers/all-MiniLM-L6-v2',
    dimension: golden.dimension,
    maxTokens: golden.max_seq_length,
    pooling: 'mean',
    normalize: true,
    precision: 'fp32',
  });
});

test('one by one', async () => {
  const answers = [];
  for (const text of texts) answers.push(await embedder.embedOne(text));
  expectVectors(answers, vectors, TOLERANCE);
});

test('to the bit the same alone and among texts of other lengths', async () => {
  const together = await embedder.embedBatch(texts);
  for (const [i, text] of texts.entries()) expect(await embedder.embedOne(text)).toEqual(together[i]);
});

test('in one batch, with token counts', async () => {
  const answer = await embedder.embedDetailed(texts);
  expectVectors(answer.vectors, vectors, TOLERANCE);
  expect([...answer.tokenCounts]).toEqual(golden.token_counts_before_truncation);
  expect(answer.truncated).toEqual(golden.token_counts_before_truncation.map((count) => count > golden.max_seq_length));
});

test('backwards, and every third first', async () => {
  const indices = texts.map((_, i) => i);
  for (const order of [[...indices].reverse(), [...indices].sort((a, b) => (a % 3) - (b % 3))]) {
    const answers = await embedder.embedBatch(order.map((i) => texts[i]!));
    expectVectors(
      answers,
      order.map((i) => vectors[i]!),
      TOLERANCE,
    );
  }
});

test('in batches of seven, all at once', async () => {
  const calls = [];
  for (let i = 0; i < texts.length; i += 7) calls.push(embedder.embedBatch(texts.slice(i, i + 7)));
  expectVectors((await Promise.all(calls)).flat(), vectors, TOLERANCE);
});

test('countTokens', async () => {
  expect([...(await embedder.countTokens(texts))]).toEqual(golden.token_counts_before_truncation);
});
