// Prompts of queries and documents: from the model's own configuration, from options, and those that cannot be honoured.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Embedder } from 'sentence-embedder';
import { sentenceEmbedder } from 'sentence-embedder/ai-sdk';
import { SentenceEmbeddings } from 'sentence-embedder/langchain';
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

test('where prompts differ, the AI SDK must say what values are', () =>
  withConfig(E5, async (embedder) => {
    const unknown = sentenceEmbedder(embedder).doEmbed({ values: ['a'] });
    expect((await rejection(Promise.resolve(unknown), 'ERR_EMBED_INVALID_ARGUMENT')).message).toContain('inputType');
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
