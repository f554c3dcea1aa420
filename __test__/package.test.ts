// The package as its consumers meet it: require and import, types for both, and nothing that runs at installation.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as face from 'sentence-embedder';
import * as testing from 'sentence-embedder/testing';
import { temporaryFolder } from './support/fixtures';
import { ROOT, runNode, runScript } from './support/processes';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  scripts: Record<string, string>;
  dependencies?: object;
};

test('exactly the public names', () => {
  expect(Object.keys(face).sort()).toEqual([
    'CustomEmbedder',
    'Embedder',
    'EmbedderFactory',
    'FallbackEmbedder',
    'InProcessEmbedder',
    'IsolatedEmbedder',
    'ManagedEmbedder',
    'OllamaEmbedder',
    'SidecarEmbedder',
    'binarize',
    'checkIndexStamp',
    'cosineSimilarity',
    'createProductionFactory',
    'createTestFactory',
    'dot',
    'embedBatch',
    'embedOne',
    'quantizeInt8',
    'readIndexStamp',
    'topK',
    'truncateDimensions',
    'writeIndexStamp',
  ]);
  expect(Object.keys(testing).sort()).toEqual(['ManagedEmbedder', 'TestEmbedder', 'describeIEmbedder', 'hashVector']);
});

/** The modules of an entry point, imported and required in one process, and what `report` makes of them. */
const inBothWays = (name: string, report: string): string => {
  const script = `
    import { createRequire } from 'node:module';
    import * as imported from '${name}';
    const required = createRequire(${JSON.stringify(join(ROOT, 'x.js'))})('${name}');
    const names = Object.keys(required);
    console.log(${report});`;
  return runScript(script, { module: true }).stdout;
};

test.each(['', '/testing', '/ai-sdk', '/lancedb'])(
  'import of sentence-embedder%s gives the same objects as require',
  (subpath) => {
    const report = 'names.length > 0, names.every((name) => imported[name] === required[name])';
    expect(inBothWays(`sentence-embedder${subpath}`, report)).toBe('true true\n');
  },
);

test.each(['langchain', 'llamaindex'])(
  'import of sentence-embedder/%s gives the same names as require, of its own half of the framework',
  (adapter) => {
    const report =
      'String(Object.keys(imported)) === String(names), names.some((name) => imported[name] === required[name])';
    expect(inBothWays(`sentence-embedder/${adapter}`, report)).toBe('true false\n');
  },
);

test('nothing runs at installation, and nothing else is installed', () => {
  for (const script of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts).not.toHaveProperty(script);
  expect(manifest.dependencies ?? {}).toEqual({});
});

test('the crate has the version of the package', () => {
  expect(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8')).toContain(`\nversion = "${manifest.version}"\n`);
});

describe('types', () => {
  const parent = temporaryFolder();
  const use = `
    import { checkIndexStamp, createProductionFactory, Embedder, embedBatch, embedOne, FallbackEmbedder } from 'sentence-embedder';
    import { InProcessEmbedder, ManagedEmbedder, writeIndexStamp } from 'sentence-embedder';
    import type { IEmbedder, IndexVerdict } from 'sentence-embedder';
    import { describeIEmbedder, TestEmbedder } from 'sentence-embedder/testing';
    import type { EmbedError, EmbedErrorCode, EmbedOptions, LoadOptions, ModelInfo } from 'sentence-embedder';

    export async function main(): Promise<void> {
      const load: LoadOptions = { model: 'folder', precision: 'int8', threads: 2, onProgress: (event) => event.type };
      await using embedder = await Embedder.load(load);
      const options: EmbedOptions = { priority: 'bulk', timeoutMs: 5, overflow: 'error', signal: AbortSignal.timeout(9) };
      const one: Float32Array = await embedder.embedOne('a', options);
      const many: Float32Array[] = await embedder.embedBatch(['a', 'b'] as const, options);
      const { vectors, tokenCounts, truncated } = await embedder.embedDetailed(['a']);
      const [counts, flags]: [Uint32Array, boolean[]] = [tokenCounts, truncated];
      const info: ModelInfo = embedder.info;
      const p50: number = embedder.stats().lanes.interactive.latencyMs.p50;
      const all: Float32Array[] = [one, ...many, ...vectors, await embedOne('a'), ...(await embedBatch(['a']))];
      const code: EmbedErrorCode = ({} as EmbedError).code;
      await embedder.close();

      // @ts-expect-error a number is no text
      await embedder.embedOne(42);
      // @ts-expect-error a text is no list
      await embedder.embedBatch('text');
      // @ts-expect-error no such option
      await embedder.embedOne('a', { prioritty: 'bulk' });
      // @ts-expect-error no such word
      await Embedder.load({ precision: 'int4' });
      // @ts-expect-error the constructor is private
      new Embedder();
      // @ts-expect-error info cannot be changed
      embedder.info.dimension = 3;
      void [counts, flags, info, p50, all, code];
    }

    // What a host app declares for itself.
    interface HostEmbedder {
      initialize(): Promise<boolean>;
      embed(texts: string[]): Promise<number[][]>;
      embedWithRetry(texts: string[], maxRetries?: number): Promise<number[][]>;
      shouldRestart(): Promise<boolean>;
      restart(): Promise<void>;
      shutdown(): Promise<void>;
      getStats(): { filesSinceSpawn: number; isReady: boolean; memoryUsage?: { rss: number; heapUsed: number; external: number } };
    }
    export function dropIn(): HostEmbedder[] {
      const production = createProductionFactory({
        modelName: 'm', batchSize: 32, normalizeVectors: true, timeout: 30000, retries: 2, autoStart: true, autoRestart: true,
        fallback: ['sidecar'], onEvent: (event) => { if (event.type === 'stage' && event.stage === 'error') event.code; },
      });
      describeIEmbedder(() => new TestEmbedder({ dimension: 8 }));
      const own: IEmbedder = new TestEmbedder();
      return [production.create(), new InProcessEmbedder({ modelName: 'm' }), new TestEmbedder(), own];
    }
    export async function stamps(): Promise<IndexVerdict> {
      await writeIndexStamp('dir', new InProcessEmbedder());
      // @ts-expect-error no such option
      new InProcessEmbedder({ modelname: 'm' });
      return (await checkIndexStamp('dir', await Embedder.load())).verdict;
    }
    // What may be undefined when a program runs.
    export function optional(embedder: Embedder, signal?: AbortSignal, load?: LoadOptions, sidecar?: { url: string }): void {
      const own = createProductionFactory({ kind: undefined, load, sidecar, retries: undefined }).create();
      void [embedder.embedOne('a', { signal, timeoutMs: undefined }), own.embed(['a'], { signal, priority: undefined })];
    }
    export function refused(): void {
      const fingerprint = 'mine';
      for (const row of [[1, 2], new Float32Array(2), new Float64Array(2)] as const)
        createProductionFactory({ custom: { fingerprint, embed: () => Promise.resolve([row]) } });
      // @ts-expect-error neither an array of numbers nor one of floats
      createProductionFactory({ custom: { fingerprint, embed: () => Promise.resolve([{ length: 1, 0: 1 }]) } });
      // @ts-expect-error a factory makes them
      new FallbackEmbedder();
      class Mine extends ManagedEmbedder {}
      // @ts-expect-error only the classes of this package have all that it needs
      new Mine();
    }`;

  test.each([
    ['CommonJS, node16', 'index.cts', { module: 'node16', lib: ['es2022'], types: ['node'] }],
    ['ESM, node16', 'index.mts', { module: 'node16', lib: ['es2022'], types: ['node'] }],
    ['bundler', 'index.ts', { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'], types: [] }],
  ])('of a consumer: %s', (name, file, options) => {
    const app = join(parent, name);
    mkdirSync(join(app, 'node_modules', '@types'), { recursive: true });
    symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
    symlinkSync(join(ROOT, 'node_modules', '@types', 'node'), join(app, 'node_modules', '@types', 'node'));
    writeFileSync(join(app, file), use);
    const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true };
    const compilerOptions = { target: 'es2022', ...strict, ...options };
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    expect(runNode([tsc, '--project', app])).toMatchObject({ status: 0, stdout: '' });
  });
});
