// The adapters of LangChain and LlamaIndex in the real frameworks with the real small model: of 500 passages, the right one
// comes first.

import { Document } from '@langchain/core/documents';
import { MemoryVectorStore } from '@langchain/classic/vectorstores/memory';
import { Document as LlamaDocument, MetadataMode, Settings, VectorStoreIndex } from 'llamaindex';
import { Embedder } from 'sentence-embedder';
import { SentenceEmbeddings } from 'sentence-embedder/langchain';
import { SentenceEmbedding } from 'sentence-embedder/llamaindex';
import { rejection } from '../support/expectations';
import { miniLM } from '../support/models';
import { PASSAGES, QUESTIONS } from './passages';

let embedder: Embedder;

beforeAll(async () => {
  embedder = await Embedder.load({ model: miniLM() });
});

afterAll(() => embedder.close());

/** How many texts each lane has embedded while `work` ran. */
async function lanes(work: () => Promise<unknown>): Promise<{ interactive: string[]; bulk: string[] }> {
  const seen: { interactive: string[]; bulk: string[] } = { interactive: [], bulk: [] };
  const spy = jest.spyOn(embedder, 'embedDetailed').mockImplementation((texts, options) => {
    seen[options?.priority ?? 'bulk'].push(...texts);
    return Promise.resolve({
      vectors: texts.map(() => new Float32Array(embedder.info.dimension)),
      tokenCounts: new Uint32Array(texts.length),
      truncated: texts.map(() => false),
    });
  });
  try {
    await work();
  } finally {
    spy.mockRestore();
  }
  return seen;
}

describe('LangChain', () => {
  test('MemoryVectorStore finds the right passage', async () => {
    const store = new MemoryVectorStore(new SentenceEmbeddings(embedder));
    await store.addDocuments(PASSAGES.map((pageContent) => new Document({ pageContent })));
    for (const [question, passage] of QUESTIONS) {
      expect((await store.similaritySearch(question, 3))[0]?.pageContent).toBe(passage);
    }
  });

  test('queries are interactive, documents bulk and in one call; signals are passed on', async () => {
    const embeddings = new SentenceEmbeddings(embedder);
    expect(await lanes(() => embeddings.embedQuery('q'))).toEqual({ interactive: ['q'], bulk: [] });
    expect(await lanes(() => embeddings.embedDocuments(['a', 'b']))).toEqual({ interactive: [], bulk: ['a', 'b'] });
    const signal = AbortSignal.abort();
    await rejection(embeddings.embedDocuments(['a'], { signal }), 'ERR_EMBED_ABORTED');
    await rejection(new SentenceEmbeddings(embedder, { signal }).embedQuery('a'), 'ERR_EMBED_ABORTED');
  });
});

describe('LlamaIndex', () => {
  test('the retriever of a VectorStoreIndex finds the right passage', async () => {
    Settings.embedModel = new SentenceEmbedding(embedder);
    const index = await VectorStoreIndex.fromDocuments(PASSAGES.map((text) => new LlamaDocument({ text })));
    const retriever = index.asRetriever({ similarityTopK: 3 });
    for (const [question, passage] of QUESTIONS) {
      const [first] = await retriever.retrieve({ query: question });
      expect(first?.node.getContent(MetadataMode.NONE)).toBe(passage);
    }
  });

  test('queries are interactive, texts bulk; progress and signals are passed on', async () => {
    const embedding = new SentenceEmbedding(embedder);
    expect(await lanes(() => embedding.getQueryEmbedding({ type: 'text', text: 'q' }))).toEqual({
      interactive: ['q'],
      bulk: [],
    });
    expect(await lanes(() => embedding.getTextEmbedding('a'))).toEqual({ interactive: [], bulk: ['a'] });
    const progress = jest.fn();
    await embedding.getTextEmbeddingsBatch(['a', 'b'], { progressCallback: progress });
    expect(progress).toHaveBeenLastCalledWith(2, 2);
    const aborted = new SentenceEmbedding(embedder, { signal: AbortSignal.abort() });
    await rejection(aborted.getTextEmbeddings(['a']), 'ERR_EMBED_ABORTED');
  });
});
