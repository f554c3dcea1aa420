// The newest LanceDB, beside the packed package in an app of its own: the other tests have the oldest that is supported. The
// newest asks for Node 22 and brings optional packages of half a gigabyte, which nothing here needs.

import { join } from 'node:path';
import { PASSAGES, QUESTIONS } from '../adapters/passages';
import { temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { makeApp, MANIFEST, node, runIn } from './apps';
import { archiveOf, manifests, ownPackage } from './registry';

/** What `latest` was when this was last looked at. */
const NEWEST = '0.39.0';

const app = temporaryFolder();
const database = join(app, 'tables');
const questions = JSON.stringify(QUESTIONS.map(([question]) => question));
const passages = QUESTIONS.map(([, passage]) => passage);

const WRITE = `
  const { connect } = require('@lancedb/lancedb');
  const { LanceSchema } = require('@lancedb/lancedb/embedding');
  const { sentenceEmbedder, closeEmbedders } = require('sentence-embedder/lancedb');
  (async () => {
    const embedding = await sentenceEmbedder({ model: ${JSON.stringify(miniLM())} });
    const schema = LanceSchema({ text: embedding.sourceField(), vector: embedding.vectorField() });
    const table = await (await connect(${JSON.stringify(database)})).createEmptyTable('passages', schema);
    await table.add(${JSON.stringify(PASSAGES.map((text) => ({ text })))});
    await closeEmbedders();
  })();`;
const READ = `
  import { connect } from '@lancedb/lancedb';
  import { closeEmbedders } from 'sentence-embedder/lancedb';
  const table = await (await connect(${JSON.stringify(database)})).openTable('passages');
  const found = [];
  for (const question of ${questions}) found.push((await table.search(question).limit(1).toArray())[0].text);
  console.log(JSON.stringify(found));
  await closeEmbedders();`;

beforeAll(async () => {
  makeApp(app, { 'package.json': MANIFEST, 'write.cjs': WRITE, 'read.mjs': READ });
  const native = ownPackage.name.replace('sentence-embedder', '@lancedb/lancedb');
  const lance = [`@lancedb/lancedb@${NEWEST}`, `${native}@${NEWEST}`, 'apache-arrow@18.1.0'];
  const own = [manifests().main, ownPackage].map(archiveOf);
  const flags = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, stdout, stderr } = await runIn(app, 'npm', ['install', ...flags, ...lance, ...own]);
  expect({ code, output: code ? stdout + stderr : '' }).toEqual({ code: 0, output: '' });
});

test('a table that one process writes answers texts in another', async () => {
  expect(await node(app, 'write.cjs')).toMatchObject({ code: 0, stdout: '' });
  const { code, stdout, stderr } = await node(app, 'read.mjs');
  expect({ code, stderr: code ? stderr : '' }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual(passages);
});

test('the command line indexes a folder, again when a file has changed, and finds', async () => {
  const cli = join(app, 'node_modules', 'sentence-embedder', 'dist', 'cli.js');
  const options = ['--db', 'index', '--model', miniLM()];
  const files = Object.fromEntries(passages.map((passage, row) => [`${String(row)}.md`, passage]));
  const notes = makeApp(join(app, 'notes'), files);
  for (const changed of [passages[0] ?? '', 'Nothing that anybody asked for.']) {
    makeApp(notes, { '0.md': changed });
    expect(await node(app, cli, 'index', notes, ...options)).toMatchObject({ code: 0 });
  }
  const [, [question, passage] = []] = QUESTIONS;
  const { code, stdout } = await node(app, cli, 'search', question ?? '', '--json', '--limit', '1', ...options);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    results: [{ path: expect.stringMatching(/1\.md$/) as string, text: passage }],
  });
});
