// The embedding function in real LanceDB: a table on disk answers texts, also in another process.

import { relative, resolve } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { getRegistry, LanceSchema } from '@lancedb/lancedb/embedding';
import { closeEmbedders, sentenceEmbedder } from 'sentence-embedder/lancedb';
import { temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { runScript } from '../support/processes';
import { rejection } from '../support/expectations';
import { PASSAGES, QUESTIONS } from './passages';

const folder = temporaryFolder();

afterAll(() => closeEmbedders());

test('the right passage comes first, here and in another process', async () => {
  const embedding = await sentenceEmbedder({ model: miniLM() });
  expect(embedding.ndims()).toBe(384);
  const schema = LanceSchema({ text: embedding.sourceField(), vector: embedding.vectorField() });
  const table = await (await connect(folder)).createEmptyTable('passages', schema);
  await table.add(PASSAGES.map((text) => ({ text })));
  for (const [question, passage] of QUESTIONS) {
    const [first] = (await table.search(question).limit(1).toArray()) as { text: string }[];
    expect(first?.text).toBe(passage);
  }
  table.close();

  const reader = `
    import { connect } from '@lancedb/lancedb';
    import { closeEmbedders } from 'sentence-embedder/lancedb';
    const table = await (await connect(${JSON.stringify(folder)})).openTable('passages');
    for (const question of ${JSON.stringify(QUESTIONS.map(([question]) => question))}) {
      const [first] = await table.search(question).limit(1).toArray();
      console.log(first.text);
    }
    await closeEmbedders();`;
  const { status, stdout, stderr } = runScript(reader, { module: true });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout.trimEnd().split('\n')).toEqual(QUESTIONS.map(([, passage]) => passage));
});

test('a variable stands for the folder of the model', async () => {
  getRegistry().setVar('minilm', miniLM());
  const embedding = await sentenceEmbedder({ model: '$var:minilm' });
  expect(embedding.ndims()).toBe(384);
  expect(embedding.toJSON()).toEqual({ model: '$var:minilm' });
});

test('a folder that is there is stored by its absolute path, so that the table is one for every folder', async () => {
  const model = relative(process.cwd(), miniLM());
  const embedding = await sentenceEmbedder({ model, cacheDir: relative(process.cwd(), folder), prepare: false });
  expect(embedding.toJSON()).toEqual({ model: resolve(model), cacheDir: resolve(folder), prepare: false });
});

test('a model that is not there rejects with a code, each time', async () => {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await rejection(sentenceEmbedder({ model: './nowhere' }), 'ERR_EMBED_MODEL_NOT_FOUND');
  }
});
