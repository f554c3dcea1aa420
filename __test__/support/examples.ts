// The examples of documents, and an app that has installed the package in which they run as a reader would run them.

import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { modelFolder, temporaryFolder } from './fixtures';
import { miniLM } from './models';
import { ROOT, runNode } from './processes';

/** A fenced block of a page. */
export interface Block {
  /** `page:line`. */
  readonly place: string;
  readonly page: string;
  readonly language: string;
  readonly source: string;
  /** What the comment before it says that it is compiled as, when it cannot run. */
  readonly compiledAs: string | undefined;
}

/** The pages whose examples are tested: the README, the guides, the examples' own pages, and the comments of lib/. */
export const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ...readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `examples/${name}/README.md`),
  ...readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `lib/${name.replaceAll('\\', '/')}`),
];

/** The blocks of a page, in their order. */
export function blocksOf(page: string): Block[] {
  const file = readFileSync(join(ROOT, page), 'utf8');
  const text = page.endsWith('.ts') ? file.replace(/^ *\* ?/gm, '') : file;
  const blocks = text.matchAll(/(?:^<!-- compiled as: (.*) -->\n)?^ *```(.*)\n([^]*?)^ *```$/gm);
  return [...blocks].map(({ 0: whole, 1: compiledAs, 2: language = '', 3: source = '', index }) => {
    const line = text.slice(0, index + whole.indexOf('```')).split('\n').length;
    return { place: `${page}:${String(line)}`, page, language, source, compiledAs };
  });
}

/** What an example says that it prints. */
export function promisedBy(source: string): string[] {
  return [...source.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1] ?? '');
}

/** Packages that examples import, beside this one. */
const PACKAGES = [
  '@ai-sdk',
  '@electron',
  '@lancedb',
  '@langchain',
  '@types',
  'ai',
  'ai-6',
  'llamaindex',
  'undici-types',
];

/** Where the cache of the hub keeps the default model, at the commit that src/model/catalog.rs names. */
const DEFAULT_MODEL = join(
  'models--sentence-transformers--paraphrase-multilingual-mpnet-base-v2',
  'snapshots',
  '4328cf26390c98c5e3c738b4460a05b95f4911f5',
);

/**
 * The folder of an app that is made for the tests of the file and has the real model that examples name. In the place of the
 * default model, which is too large, its cache has a tiny one of the same kind.
 */
export function exampleApp(): string {
  const app = temporaryFolder();
  beforeAll(() => {
    mkdirSync(join(app, 'node_modules'));
    mkdirSync(join(app, 'models'));
    symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
    for (const name of PACKAGES) symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
    symlinkSync(miniLM(), join(app, 'models', 'all-MiniLM-L6-v2'));
    cpSync(modelFolder('xlmr'), join(app, 'hub', DEFAULT_MODEL), { recursive: true });
  });
  return app;
}

/** Runs an example in the app. */
export function runExample(
  app: string,
  { language, source }: Block,
): { status: number | null; printed: string[]; stderr: string } {
  const compilerOptions = { target: ScriptTarget.ES2022, module: ModuleKind.ESNext };
  const script = language === 'ts' ? transpileModule(source, { compilerOptions }).outputText : source;
  writeFileSync(join(app, 'example.mjs'), script);
  const { status, stdout, stderr } = runNode(['example.mjs'], {
    cwd: app,
    env: { ...process.env, HF_HUB_CACHE: join(app, 'hub') },
  });
  return { status, printed: stdout.trimEnd().split('\n'), stderr };
}

/** Runs a suite in the app, under jest. */
export function runSuite(app: string, source: string): { status: number | null; stderr: string } {
  const compilerOptions = { target: ScriptTarget.ES2022, module: ModuleKind.CommonJS };
  writeFileSync(join(app, 'suite.test.js'), transpileModule(source, { compilerOptions }).outputText);
  return runNode([join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '--rootDir', app, '--config', '{}'], {
    cwd: app,
  });
}

/** What the compiler says of sources, all at once, in an app: nothing if they fit the types. */
export function compile(app: string, sources: readonly string[], extension: 'cts' | 'mts' = 'mts'): string {
  const files = sources.map((source, i) => {
    const name = `compiled-${String(i)}.${extension}`;
    writeFileSync(join(app, name), source);
    return name;
  });
  const strict = { strict: true, noEmit: true, skipLibCheck: true };
  const lib = ['es2023', 'esnext.disposable'];
  const compilerOptions = { target: 'es2022', module: 'node20', lib, types: ['node', 'jest'], ...strict };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  return runNode([join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--project', app]).stdout;
}
