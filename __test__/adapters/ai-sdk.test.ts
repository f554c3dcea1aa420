// The AI SDK, the current one and the one before, in a process of its own, as one of them is an ES module: of 500 passages, the
// right one comes first.

import { Embedder } from 'sentence-embedder';
import { sentenceEmbedder } from 'sentence-embedder/ai-sdk';
import { compile, exampleApp } from '../support/examples';
import { rejection } from '../support/expectations';
import { modelFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { runScript } from '../support/processes';
import { PASSAGES, QUESTIONS } from './passages';

const SDKS = [
  ['ai', 'v4', {}],
  ['ai-6', 'v3', { specificationVersion: 'v3' }],
] as const;

/** What a program over one AI SDK prints as JSON. It has `embedder` with a model, and must write nothing else: no warning. */
function outcome(sdk: string, model: string, body: string): unknown {
  const script = `
    import { cosineSimilarity, embed, embedMany } from '${sdk}';
    import { Embedder } from 'sentence-embedder';
    import { sentenceEmbedder } from 'sentence-embedder/ai-sdk';
    const embedder = await Embedder.load({ model: ${JSON.stringify(model)}, prepare: false });
    ${body}
    await embedder.close();`;
  const { status, stdout, stderr } = runScript(script, { module: true });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe.each(SDKS)('%s, specification %s', (sdk, version, options) => {
  test('embed, embedMany and cosineSimilarity find the right passage', () => {
    const body = `
      const values = ${JSON.stringify(PASSAGES)};
      const model = sentenceEmbedder(embedder, ${JSON.stringify(options)});
      const { embeddings, usage, warnings } = await embedMany({ model, values });
      const found = [];
      for (const value of ${JSON.stringify(QUESTIONS.map(([question]) => question))}) {
        const { embedding } = await embed({ model, value });
        const scores = embeddings.map((candidate) => cosineSimilarity(embedding, candidate));
        found.push(values[scores.indexOf(Math.max(...scores))]);
      }
      const tokens = (await embedder.countTokens(values)).reduce((sum, count) => sum + count, 0) - usage.tokens;
      console.log(JSON.stringify({ version: model.specificationVersion, found, tokens, warnings }));`;
    const found = QUESTIONS.map(([, passage]) => passage);
    expect(outcome(sdk, miniLM(), body)).toEqual({ version, found, tokens: 0, warnings: [] });
  });

  test('lanes, input types and signals', () => {
    const body = `
      const calls = [];
      const seen = {
        info: embedder.info,
        embedDetailed(texts, options) {
          calls.push([options.priority, ...texts]);
          return embedder.embedDetailed(texts, options);
        },
      };
      const model = sentenceEmbedder(seen, ${JSON.stringify(options)});
      await embed({ model, value: 'q' });
      await embed({ model, value: 'd', providerOptions: { 'sentence-embedder': { inputType: 'document' } } });
      await embedMany({ model, values: ['a', 'b'] });
      const abortSignal = AbortSignal.abort();
      const aborted = await embed({ model, value: 'q', abortSignal, maxRetries: 0 }).catch(({ code }) => code);
      console.log(JSON.stringify({ calls, aborted }));`;
    const calls = [
      ['interactive', 'q'],
      ['bulk', 'd'],
      ['bulk', 'a', 'b'],
      ['interactive', 'q'],
    ];
    expect(outcome(sdk, modelFolder('bert'), body)).toEqual({ calls, aborted: 'ERR_EMBED_ABORTED' });
  });
});

describe('the model', () => {
  let embedder: Embedder;
  beforeAll(async () => {
    embedder = await Embedder.load({ model: modelFolder('bert'), prepare: false });
  });
  afterAll(() => embedder.close());

  test.each([{ inputType: 'passage' }, { inputtype: 'query' }])('refuses provider options %j', async (given) => {
    const call = sentenceEmbedder(embedder).doEmbed({ values: ['a'], providerOptions: { 'sentence-embedder': given } });
    expect((await rejection(call, 'ERR_EMBED_INVALID_ARGUMENT')).message).toContain('sentence-embedder');
  });

  test('cuts vectors to the dimensions that the model was trained for, and to no others', async () => {
    const { dimension } = embedder.info;
    const trained = {
      info: { ...embedder.info, matryoshkaDimensions: [2] },
      embedDetailed: embedder.embedDetailed.bind(embedder),
    };
    const short = await sentenceEmbedder(trained).doEmbed({ values: ['a'], dimensions: 2 });
    expect(short.embeddings.map(({ length }) => length)).toEqual([2]);
    const whole = await sentenceEmbedder(embedder).doEmbed({ values: ['a'], dimensions: dimension });
    expect(whole.embeddings.map(({ length }) => length)).toEqual([dimension]);
    await rejection(sentenceEmbedder(embedder).doEmbed({ values: ['a'], dimensions: 2 }), 'ERR_EMBED_INVALID_ARGUMENT');
  });
});

describe('types', () => {
  const app = exampleApp();
  const use = (sdk: string, options: string): string => `
    import { customProvider, embed } from '${sdk}';
    import { Embedder } from 'sentence-embedder';
    import { sentenceEmbedder } from 'sentence-embedder/ai-sdk';

    export async function main(): Promise<number[]> {
      const model = sentenceEmbedder(await Embedder.load(), { ${options} });
      customProvider({ embeddingModels: { model } });
      return (await embed({ model, value: 'a' })).embedding;
    }`;

  test('fit either AI SDK', () => {
    const specification = `
      import type { EmbeddingModelV3, EmbeddingModelV4 } from '@ai-sdk/provider';
      import type { EmbeddingModel } from 'ai-6';
      import type { Embedder } from 'sentence-embedder';
      import { sentenceEmbedder, type SentenceEmbeddingModel } from 'sentence-embedder/ai-sdk';
      export const current = (model: SentenceEmbeddingModel): EmbeddingModelV4 => model;
      export const before = (model: SentenceEmbeddingModel<'v3'>): EmbeddingModelV3 => model;
      // @ts-expect-error AI SDK 6 knows v3 alone
      export const tooNew = (embedder: Embedder): EmbeddingModel => sentenceEmbedder(embedder);`;
    const sources = [use('ai', "inputType: 'query'"), use('ai-6', "specificationVersion: 'v3'"), specification];
    expect(compile(app, sources)).toBe('');
  });
});
