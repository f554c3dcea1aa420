// Every example of the README, of the guides and of comments in lib/ runs as it stands, with the real model and the real
// frameworks. One that cannot alone says before its fence as what it is compiled instead (migration.test.ts runs what apps had
// before, the tests in Electron the settings for packagers); commands are given to the command line that they are of.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { blocksOf, compile, exampleApp, PAGES, promisedBy, runExample, runSuite, type Block } from './support/examples';
import { ROOT } from './support/processes';
import { cli } from './support/replay';

/** What stands around a block that is a part of something which is not here. */
const AROUND: Readonly<Record<string, (source: string) => string>> = {
  'what an app with a sidecar has': (source) => `
    declare const modelName: string;
    declare class PythonSidecarService { constructor(options: { port: number }); startSidecar(): Promise<void> }
    declare class PythonSidecarEmbedder { constructor(options: object) }
    ${source} export { embedder };`,
  'what an app with Ollama has': (source) => `declare const texts: string[]; ${source} export { embeddings };`,
  'what an app with transformers.js has': (source) => `
    declare const texts: string[];
    type Extractor = (texts: string[], options: object) => Promise<{ tolist(): number[][] }>;
    declare function pipeline(task: 'feature-extraction', model: string): Promise<Extractor>;
    ${source} export { vectors };`,
  'a suite of an app with an embedder of its own': (source) => `
    import { ManagedEmbedder } from 'sentence-embedder';
    declare class MyEmbedder extends TestEmbedder {}
    ${source} export { embedder, ManagedEmbedder };`,
  'a part of package.json for electron-builder': (source) => `
    interface Resource { from: string; to: string }
    export const manifest: { build: { files: string[]; asarUnpack: string[]; extraResources: Resource[] } } = { ${source} };`,
  'options of @electron/packager': (source) => `
    import type { Options } from '@electron/packager';
    export const options: Options = { dir: '.', ${source} };`,
};

const blocks = PAGES.flatMap(blocksOf);
const named = (chosen: (block: Block) => boolean): [string, Block][] =>
  blocks.filter(chosen).map((block) => [block.place, block]);
const runs = ({ language, compiledAs }: Block): boolean =>
  (language === 'js' || language === 'ts') && compiledAs === undefined;
const isShell = ({ language }: Block): boolean => language === 'sh';
const app = exampleApp();

test('every block runs, is compiled as something, or is for a shell', () => {
  const others = blocks.filter((block) => !runs(block) && !isShell(block) && !AROUND[block.compiledAs ?? '']);
  expect(others.map(({ place }) => place)).toEqual([]);
  const used = blocks.map(({ compiledAs }) => compiledAs).filter((name) => name !== undefined);
  expect(used.sort()).toEqual(Object.keys(AROUND).sort());
  expect(blocks.filter(runs).length).toBeGreaterThan(15);
});

test.each(named(runs))('%s', (_, block) => {
  const { status, printed, stderr } = runExample(app, block);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  if (!block.source.includes('console.error')) expect(stderr).toBe('');
  const promised = promisedBy(block.source);
  if (promised.length > 0) expect(printed).toEqual(promised);
});

test('what is TypeScript fits the types', () => {
  const sources = blocks
    .filter(({ language, compiledAs }) => language === 'ts' || compiledAs !== undefined)
    .map(({ source, compiledAs }) => AROUND[compiledAs ?? '']?.(source) ?? source);
  expect(compile(app, sources)).toBe('');
});

test('the suite of an app with an embedder of its own runs under jest', () => {
  const suite = blocks.find(({ compiledAs }) => compiledAs === 'a suite of an app with an embedder of its own');
  const source = `${suite?.source ?? ''} class MyEmbedder extends TestEmbedder {} test('it is ready', () => embedder.initialize());`;
  const { status, stderr } = runSuite(app, source);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  expect(Number(/Tests: +(\d+) passed/.exec(stderr)?.[1])).toBeGreaterThan(10);
});

/** The scripts of the package that is nearest to a page. */
function scriptsFor(page: string): string[] {
  const own = resolve(ROOT, page, '..', 'package.json');
  const file = existsSync(own) ? own : join(ROOT, 'package.json');
  return Object.keys((JSON.parse(readFileSync(file, 'utf8')) as { scripts: object }).scripts);
}

/** Fails unless the command line understands the words. With `--help` at their end it reads them and does nothing. */
function expectUnderstood(words: string[]): void {
  const { status, stdout, stderr } = cli(...words, '--help');
  expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' });
  expect(stdout).toContain(`usage: sentence-embedder ${words[0] ?? ''} `);
}

/** Installs the package of this clone, which is built, in an example's folder. */
const OF_CLONE = 'npm install --no-save --ignore-scripts ../..';

const commands = blocks.filter(isShell).flatMap(({ place, page, source }) =>
  source
    .trimEnd()
    .split('\n')
    .map((line): [string, string, string] => [
      place,
      line.replace(/\s+#.*/, '').replace(/^(?:[A-Z_]+=\S+ )+/, ''),
      page,
    ]),
);

test.each(commands)('%s: %s', (_, command, page) => {
  const [program, first = '', second = '', ...rest] = command.split(' ');
  if (program === 'npx' && first === 'sentence-embedder') expectUnderstood([second, ...rest]);
  else if (program === 'npx') expect(existsSync(join(ROOT, 'node_modules', '.bin', first))).toBe(true);
  else if (program === 'node') expect(existsSync(join(ROOT, first))).toBe(true);
  else if (first === 'run') expect(scriptsFor(page)).toContain(second);
  else expect(['npm install', OF_CLONE, 'npm test', 'npm start']).toContain(command);
});

describe('the command line in the text of pages', () => {
  const mentioned = PAGES.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/`npx sentence-embedder ([^`]+)`/g)].map(
      (match) => match[1] ?? '',
    ),
  );
  test.each([...new Set(mentioned)])('%s', (words) => {
    const [command = '', ...rest] = words.replace(/[[\]]/g, '').replaceAll('...', '').split(' ');
    expectUnderstood([command, ...rest]);
  });
});

test('the page on errors has every code', () => {
  const types = readFileSync(join(ROOT, 'lib', 'types.ts'), 'utf8');
  const codes = [...types.matchAll(/^ {2}\| '(ERR_EMBED_\w+)'/gm)].map((match) => match[1]);
  const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');
  expect([...page.matchAll(/^## (\w+)$/gm)].map((match) => match[1])).toEqual(codes);
  expect(codes).toHaveLength(12);
});
