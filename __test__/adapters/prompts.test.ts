// Prompts of queries and documents: from the model's own configuration, from options, and those that cannot be honoured.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Embedder } from 'sentence-embedder';
import { sentenceEmbedder } from 'sentence-embedder/ai-sdk';
import { sentenceEmbedder as lanceDb } from 'sentence-embedder/lancedb';
import { SentenceEmbeddings } from 'sentence-embedder/langchain';
import { SentenceEmbedding } from 'sentence-embedder/llamaindex';
import { rejection } from '../support/expectations';
import { makeVariant, temporaryFolder, variants } from '../support/fixtures';

const parent = temporaryFolder();
const base = Object.keys(variants).find((name) => variants[name]?.loads && !variants[name].loads.options)!;
let made = 0;

/** A tiny model with that config_sentence_transformers.json. */
async function withConfig(config: string, use: (embedder: Embedder) => Promise<void> | void): Promise<void> {
  made += 1;
  const folder = makeVariant(join(parent, String(made)), base);
  writeFileSync(join(folder, 'config_sentence_transformers.json'), config);
  const embedder = await Embedder.load({ model: folder, prepare: false });
  try {
    await use(embedder);
  } finally {
    await embedder.close();
  }
}

const E5 = JSON.stringify({ prompts: { query: 'query: ', passage: 'passage: ' } });
const plain = async (embedder: Embedder, text: string): Promise<number[]> => Array.from(await embedder.embedOne(text));

test('the model says them', () =>
  withConfig(E5, async (embedder) => {
    const embeddings = new SentenceEmbeddings(embedder);
    expect(await embeddings.embedQuery('a')).toEqual(await plain(embedder, 'query: a'));
    expect(await embeddings.embedDocuments(['a'])).toEqual([await plain(embedder, 'passage: a')]);
    expect(await embeddings.embedQuery('a')).not.toEqual(await plain(embedder, 'a'));
  }));

test('options win over the model', () =>
  withConfig(E5, async (embedder) => {
    const embeddings = new SentenceEmbeddings(embedder, { prompts: { query: 'find ', document: '' } });
    expect(await embeddings.embedQuery('a')).toEqual(await plain(embedder, 'find a'));
    expect(await embeddings.embedDocuments(['a'])).toEqual([await plain(embedder, 'a')]);
  }));

test.each(['document', 'passage', 'corpus'])('the prompt of documents may be named %s', (name) =>
  withConfig('{}', async (embedder) => {
    const embeddings = new SentenceEmbeddings(embedder, { prompts: { query: 'query: ', [name]: 'passage: ' } });
    expect(await embeddings.embedQuery('a')).toEqual(await plain(embedder, 'query: a'));
    expect(await embeddings.embedDocuments(['a'])).toEqual([await plain(embedder, 'passage: a')]);
  }),
);

test('what is no text is refused, not hidden behind a prompt', () =>
  withConfig(E5, async (embedder) => {
    const embeddings = new SentenceEmbeddings(embedder);
    const [nothing, number] = [undefined, 3] as unknown as [string, string];
    const lama = new SentenceEmbedding(embedder);
    const model = sentenceEmbedder(embedder, { inputType: 'query' });
    for (const [call, received] of [
      [() => embeddings.embedQuery(nothing), 'texts[0] but received undefined'],
      [() => embeddings.embedDocuments(['a', number]), 'texts[1] but received number 3'],
      [() => embeddings.embedDocuments('abc' as unknown as string[]), 'received string "abc"'],
      [() => lama.getTextEmbedding(nothing), 'texts[0] but received undefined'],
      [async () => model.doEmbed({ values: [number] }), 'texts[0] but received number 3'],
    ] as [() => Promise<unknown>, string][]) {
      expect((await rejection(call(), 'ERR_EMBED_INVALID_ARGUMENT')).message).toContain(received);
    }
  }));

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [Promise.resolve(), 'a promise: await it first'],
  [{ info: {} }, 'an object'],
])('what is no embedder is refused', (embedder, received) => {
  const given = embedder as Embedder;
  const adapters = [
    () => new SentenceEmbeddings(given),
    () => new SentenceEmbedding(given),
    () => sentenceEmbedder(given),
  ];
  for (const adapt of adapters) {
    expect(adapt).toThrow(`Expected an Embedder for embedder but received ${received}`);
  }
});

describe('options that no adapter has', () => {
  const wrong: [unknown, string][] = [
    [{ prompt: { query: 'a' } }, 'Expected only known names in options but received options.prompt (an object)'],
    [{ sginal: 1 }, 'Expected only known names in options but received options.sginal (number 1)'],
    [{ prompts: 'query: ' }, 'Expected an object for options.prompts but received string "query: "'],
    [
      { prompts: { passages: 'a' } },
      'Expected only known names in options.prompts but received options.prompts.passages',
    ],
    [{ prompts: { query: 1 } }, 'Expected a string for options.prompts.query but received number 1'],
    [{ prompts: { document: 'a', passage: 'b' } }, 'received document and passage'],
    [{ signal: 1 }, 'Expected an AbortSignal for options.signal but received number 1'],
    [[], 'Expected an object for options but received an array'],
    [null, 'Expected an object for options but received null'],
  ];
  const refuses = (message: string): Error =>
    expect.objectContaining({
      code: 'ERR_EMBED_INVALID_ARGUMENT',
      message: expect.stringContaining(message) as string,
    }) as Error;

  test.each(wrong)('%j', (given, message) =>
    withConfig('{}', (embedder) => {
      const options = given as object;
      expect(() => new SentenceEmbeddings(embedder, options)).toThrow(refuses(message));
      expect(() => new SentenceEmbedding(embedder, options)).toThrow(refuses(message));
      if (message.includes('options.signal')) return; // the AI SDK gives one to each call
      expect(() => sentenceEmbedder(embedder, options)).toThrow(refuses(message));
    }),
  );

  test('of the AI SDK', () =>
    withConfig('{}', (embedder) => {
      const inputType = 'passage' as 'document';
      expect(() => sentenceEmbedder(embedder, { inputType })).toThrow(refuses("Expected 'query' or 'document' for"));
      const specificationVersion = 'v5' as 'v4';
      expect(() => sentenceEmbedder(embedder, { specificationVersion })).toThrow(refuses("Expected 'v3' or 'v4' for"));
    }));

  test('of LanceDB, before a model is loaded', async () => {
    const prompts = { passages: 'a' } as object;
    const error = await rejection(lanceDb({ model: './nowhere', prompts }), 'ERR_EMBED_INVALID_ARGUMENT');
    expect(error.message).toContain('options.prompts.passages');
    await rejection(lanceDb({ modle: './nowhere' } as object), 'ERR_EMBED_INVALID_ARGUMENT');
  });

  test("those of LangChain's own base class are none of them", () =>
    withConfig('{}', async (embedder) => {
      const onFailedAttempt = (): void => undefined;
      const embeddings = new SentenceEmbeddings(embedder, { maxConcurrency: 2, maxRetries: 1, onFailedAttempt });
      expect(await embeddings.embedQuery('a')).toEqual(await plain(embedder, 'a'));
      const maxRetries = 'none' as unknown as number;
      expect(() => new SentenceEmbeddings(embedder, { maxRetries })).toThrow(refuses('options.maxRetries'));
    }));
});

test('where prompts differ, the AI SDK must say what values are', () =>
  withConfig(E5, async (embedder) => {
    const unknown = sentenceEmbedder(embedder).doEmbed({ values: ['a'] });
    const { message } = await rejection(unknown, 'ERR_EMBED_INVALID_ARGUMENT');
    expect(message).toContain("providerOptions: { 'sentence-embedder': { inputType: 'query' } }");
    const { embeddings } = await sentenceEmbedder(embedder, { inputType: 'document' }).doEmbed({ values: ['a'] });
    expect(embeddings).toEqual([await plain(embedder, 'passage: a')]);
  }));

test('a default prompt is not put before a text twice, and no other can be', () =>
  withConfig(JSON.stringify({ prompts: { query: 'query: ' }, default_prompt_name: 'query' }), async (embedder) => {
    expect(await new SentenceEmbeddings(embedder).embedQuery('a')).toEqual(await plain(embedder, 'a'));
    expect(() => new SentenceEmbeddings(embedder, { prompts: { document: 'passage: ' } })).toThrow(
      expect.objectContaining({ code: 'ERR_EMBED_MODEL_INVALID' }) as Error,
    );
  }));
