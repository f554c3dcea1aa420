// Installed by every package manager with scripts switched off, and used from every kind of code.

import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { ROOT } from '../support/processes';
import { installed, makeApp, node, tool, type Manager } from './apps';
import { ownPackage, serveRegistry } from './registry';

const parent = temporaryFolder();
const model = JSON.stringify(modelFolder('bert'));
let registry = '';
let stop: (() => void) | undefined;

beforeAll(async () => {
  const served = await serveRegistry();
  registry = served.url;
  stop = () => {
    served.close();
  };
});

afterAll(() => {
  stop?.();
});

const BODY = `
  const embedder = await Embedder.load({ model: ${model} });
  const vectors = await embedder.embedBatch(['a', 'b']);
  await embedder.close();`;
const COMMONJS = `const { Embedder } = require('sentence-embedder');
  (async () => { ${BODY} console.log(vectors.length, vectors[0].length); })();`;
const ESM = `import { Embedder } from 'sentence-embedder'; ${BODY} console.log(vectors.length, vectors[0].length);`;
const RUNS = { code: 0, stdout: '2 32\n', stderr: '' };

describe.each<Manager>(['npm', 'pnpm', 'yarn', 'yarn-pnp'])('%s', (manager) => {
  const app = join(parent, manager);

  test('installs it', async () => {
    const { code, stdout, stderr } = await installed(manager, app, registry);
    expect({ code, output: code ? stdout + stderr : '' }).toEqual({ code: 0, output: '' });
    makeApp(app, { 'use.cjs': COMMONJS, 'use.mjs': ESM });
  });

  const loader =
    manager === 'yarn-pnp' ? ['--require', './.pnp.cjs', '--loader', './.pnp.loader.mjs', '--no-warnings'] : [];

  test('and it runs from CommonJS', async () => {
    expect(await node(app, ...loader.slice(0, 2), 'use.cjs')).toMatchObject(RUNS);
  });

  test('and from ESM', async () => {
    expect(await node(app, ...loader, 'use.mjs')).toMatchObject(RUNS);
  });
});

test('only the package of this platform is installed', () => {
  const packages = readdirSync(join(parent, 'npm', 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(packages.sort()).toEqual(['sentence-embedder', ownPackage.name]);
});

test('without optional dependencies the error gives the command, and the command helps', async () => {
  const app = join(parent, 'without');
  const without = await installed('npm', app, registry, { flags: ['--omit=optional'] });
  expect(without).toMatchObject({ code: 0 });
  makeApp(app, { 'use.cjs': COMMONJS });
  const { code, stderr } = await node(app, 'use.cjs');
  expect(code).not.toBe(0);
  expect(stderr).toContain(`${ownPackage.name}: this package is not installed`);
  expect(stderr).toContain('--omit=optional');
  const [, spec = ''] = /npm install --include=optional (\S+)/.exec(stderr) ?? [];
  expect(spec).toBe(`${ownPackage.name}@${ownPackage.version}`);

  const flags = ['--include=optional'];
  expect(await installed('npm', app, registry, { dependency: spec, flags })).toMatchObject({ code: 0 });
  expect(await node(app, 'use.cjs')).toMatchObject(RUNS);
});

describe('an app that npm installed', () => {
  const app = (): string => join(parent, 'npm');

  /** Lends the app this repository's copy of a tool, as if it had installed it. */
  function lend(...names: string[]): void {
    for (const name of names) {
      const link = join(app(), 'node_modules', name);
      mkdirSync(join(link, '..'), { recursive: true });
      if (!existsSync(link)) symlinkSync(join(ROOT, 'node_modules', name), link, 'junction');
    }
  }

  test.each([
    ['node16, CommonJS', 'use.cts', { module: 'node16' }],
    ['node16, ESM', 'use.mts', { module: 'node16' }],
    ['bundler', 'use.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('compiles with TypeScript: %s', async (_, file, options) => {
    lend('@types/node', 'undici-types');
    const use = `import { Embedder, type EmbedError } from 'sentence-embedder';
      export async function main(): Promise<number> {
        const embedder = await Embedder.load({ model: 'a' });
        const vectors: Float32Array[] = await embedder.embedBatch(['a']);
        const code: string = ({} as EmbedError).code;
        return vectors.length + code.length;
      }`;
    const shared = { target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, types: ['node'] };
    const tsconfig = JSON.stringify({ compilerOptions: { ...shared, ...options }, files: [file] });
    makeApp(app(), { [file]: use, 'tsconfig.json': tsconfig });
    expect(await node(app(), tool('typescript', 'tsc'))).toMatchObject({ code: 0, stdout: '' });
    rmSync(join(app(), 'tsconfig.json'));
  });

  const TEST = `test('embeds', async () => { ${BODY}
    expect(vectors).toHaveLength(2);
    expect(vectors[0]).toBeInstanceOf(Float32Array);
  });`;

  test('tests with jest', async () => {
    makeApp(app(), { 'use.test.js': `const { Embedder } = require('sentence-embedder');\n${TEST}` });
    const outcome = await node(app(), tool('jest', 'jest'), '--rootDir', app(), '--testMatch', '**/use.test.js');
    expect(outcome).toMatchObject({ code: 0, stderr: expect.stringContaining('1 passed') as string });
  });

  test('tests with vitest', async () => {
    lend('vitest');
    const imports = `import { expect, test } from 'vitest';\nimport { Embedder } from 'sentence-embedder';\n`;
    makeApp(app(), { 'use.vitest.mjs': imports + TEST });
    const config = `export default { test: { include: ['use.vitest.mjs'] } };`;
    makeApp(app(), { 'vitest.config.mjs': config });
    const outcome = await node(app(), tool('vitest', 'vitest'), 'run', '--root', app());
    expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining('1 passed') as string });
  });

  test.each(['cjs', 'esm'])('bundles with esbuild to %s, the package left outside', async (format) => {
    const out = format === 'cjs' ? 'bundle.cjs' : 'bundle.mjs';
    makeApp(app(), { 'main.mjs': format === 'cjs' ? ESM.replace(BODY, `(async () => {${BODY}`) + '})();' : ESM });
    const options = ['--bundle', '--platform=node', `--format=${format}`, '--external:sentence-embedder'];
    const bundled = await node(app(), tool('esbuild', 'esbuild'), 'main.mjs', ...options, `--outfile=${out}`);
    expect(bundled).toMatchObject({ code: 0 });
    expect(await node(app(), out)).toMatchObject(RUNS);
  });

  test('bundles with esbuild, only the addon left outside', async () => {
    makeApp(app(), { 'main.cjs': COMMONJS });
    const options = ['--bundle', '--platform=node', `--external:${ownPackage.name}`, '--outfile=out/bundle.cjs'];
    expect(await node(app(), tool('esbuild', 'esbuild'), 'main.cjs', ...options)).toMatchObject({ code: 0 });
    expect(await node(app(), join('out', 'bundle.cjs'))).toMatchObject(RUNS);
  });

  test('still runs after it was copied elsewhere', async () => {
    const copy = join(parent, 'a folder', 'mit Umlauten äöü 日本');
    cpSync(join(app(), 'node_modules', 'sentence-embedder'), join(copy, 'node_modules', 'sentence-embedder'), {
      recursive: true,
    });
    cpSync(join(app(), 'node_modules', ownPackage.name), join(copy, 'node_modules', ownPackage.name), {
      recursive: true,
    });
    makeApp(copy, { 'use.cjs': COMMONJS });
    expect(await node(copy, 'use.cjs')).toMatchObject(RUNS);
  });
});
