// A framework that is there once for `import` and once for `require`: the adapter that an app gets is of the app's half,
// and what the adapters stand on is there once whatever they are.

import { compile, exampleApp } from '../support/examples';
import { modelFolder } from '../support/fixtures';
import { runScript } from '../support/processes';

const model = JSON.stringify(modelFolder('bert'));

/** What a program prints as JSON that takes modules, in their order, in one of the two ways. */
function outcome(kind: 'import' | 'require', modules: Record<string, string>, body: string): unknown {
  const taken = Object.entries(modules).map(([names, from]) =>
    kind === 'import'
      ? `import ${names} from '${from}';`
      : `const ${names.replaceAll(' as ', ': ')} = require('${from}');`,
  );
  const script = `${taken.join('\n')}\n(async () => { ${body} })();`;
  const { status, stdout, stderr } = runScript(script, { module: kind === 'import' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' }); // LlamaIndex says it there when it is taken twice
  return JSON.parse(stdout);
}

const CORE = { '{ Embedder }': 'sentence-embedder' };
const LLAMAINDEX = { '{ BaseEmbedding, Document, Settings, VectorStoreIndex }': 'llamaindex' };
const LLAMAINDEX_ADAPTER = { '{ SentenceEmbedding }': 'sentence-embedder/llamaindex' };
const LANGCHAIN = {
  '{ Embeddings }': '@langchain/core/embeddings',
  '{ MemoryVectorStore }': '@langchain/classic/vectorstores/memory',
};
const LANGCHAIN_ADAPTER = { '{ SentenceEmbeddings }': 'sentence-embedder/langchain' };

describe.each(['import', 'require'] as const)('%s', (kind) => {
  test.each([
    ['first', { ...LLAMAINDEX, ...LLAMAINDEX_ADAPTER }],
    ['last', { ...LLAMAINDEX_ADAPTER, ...LLAMAINDEX }],
  ])('LlamaIndex, taken %s, is there once', (_, modules) => {
    const body = `
      const embedder = await Embedder.load({ model: ${model}, prepare: false });
      Settings.embedModel = new SentenceEmbedding(embedder);
      const index = await VectorStoreIndex.fromDocuments([new Document({ text: 'a tide' })]);
      const found = await index.asRetriever({ similarityTopK: 1 }).retrieve({ query: 'the moon' });
      await embedder.close();
      const closed = await Settings.embedModel.getTextEmbedding('a').catch(({ code }) => code);
      console.log(JSON.stringify([Settings.embedModel instanceof BaseEmbedding, found.length, closed]));`;
    expect(outcome(kind, { ...CORE, ...modules }, body)).toEqual([true, 1, 'ERR_EMBED_CLOSED']);
  });

  test.each([
    ['first', { ...LANGCHAIN, ...LANGCHAIN_ADAPTER }],
    ['last', { ...LANGCHAIN_ADAPTER, ...LANGCHAIN }],
  ])('LangChain, taken %s, is there once', (_, modules) => {
    const body = `
      const embedder = await Embedder.load({ model: ${model}, prepare: false });
      const embeddings = new SentenceEmbeddings(embedder);
      const store = new MemoryVectorStore(embeddings);
      await store.addDocuments([{ pageContent: 'a tide', metadata: {} }]);
      const found = await store.similaritySearch('the moon', 1);
      await embedder.close();
      const closed = await embeddings.embedQuery('a').catch(({ code }) => code);
      console.log(JSON.stringify([embeddings instanceof Embeddings, found.length, closed]));`;
    expect(outcome(kind, { ...CORE, ...modules }, body)).toEqual([true, 1, 'ERR_EMBED_CLOSED']);
  });

  test("the registry is the app's", () => {
    const modules = {
      '{ SentenceEmbedderFunction, closeEmbedders }': 'sentence-embedder/lancedb',
      '{ TextEmbeddingFunction, getRegistry }': '@lancedb/lancedb/embedding',
    };
    const body = `
      const options = { model: ${model}, prepare: false };
      const made = await getRegistry().get('sentence-embedder').create(options);
      await closeEmbedders();
      console.log(JSON.stringify([made instanceof SentenceEmbedderFunction, made instanceof TextEmbeddingFunction]));`;
    expect(outcome(kind, modules, body)).toEqual([true, true]);
  });
});

test('halves in one process share what they stand on, and an embedder goes to either', () => {
  const modules = {
    '{ createRequire }': 'node:module',
    '{ Embedder }': 'sentence-embedder',
    '* as langchain': 'sentence-embedder/langchain',
    '* as lancedb': 'sentence-embedder/lancedb',
    '* as ai': 'sentence-embedder/ai-sdk',
  };
  const body = `
    const require = createRequire(process.cwd() + '/app.js');
    const other = require('sentence-embedder/langchain');
    const embedder = await require('sentence-embedder').Embedder.load({ model: ${model}, prepare: false });
    const [a, b] = await Promise.all([langchain, other].map((half) => new half.SentenceEmbeddings(embedder).embedQuery('a')));
    await embedder.close();
    console.log(JSON.stringify({
      same: a.every((value, i) => value === b[i]),
      embedder: embedder instanceof Embedder,
      lancedb: require('sentence-embedder/lancedb').sentenceEmbedder === lancedb.sentenceEmbedder,
      ai: require('sentence-embedder/ai-sdk').sentenceEmbedder === ai.sentenceEmbedder,
    }));`;
  expect(outcome('import', modules, body)).toEqual({ same: true, embedder: true, lancedb: true, ai: true });
});

describe('types', () => {
  const app = exampleApp();
  const source = `
    import { Embeddings } from '@langchain/core/embeddings';
    import { BaseEmbedding, Settings } from 'llamaindex';
    import { Embedder } from 'sentence-embedder';
    import { SentenceEmbeddings } from 'sentence-embedder/langchain';
    import { SentenceEmbedding } from 'sentence-embedder/llamaindex';

    export async function main(): Promise<Embeddings> {
      const embedder = await Embedder.load();
      const embedding: BaseEmbedding = new SentenceEmbedding(embedder);
      Settings.embedModel = embedding;
      return new SentenceEmbeddings(embedder);
    }`;

  test.each(['mts', 'cts'] as const)('of the adapters are of the frameworks of an app in .%s', (extension) => {
    expect(compile(app, [source], extension)).toBe('');
  });
});
