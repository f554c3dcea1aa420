// A missing or broken native part explains itself: what was looked for, where, and what to run.

import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelFolder, temporaryFolder } from './support/fixtures';
import { ROOT, runScript } from './support/processes';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const platform = `${process.platform}-${process.arch}${{ linux: '-gnu', win32: '-msvc' }[process.platform as string] ?? ''}`;
const addon = `sentence-embedder.${platform}.node`;
const library =
  { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib', win32: 'onnxruntime.dll' }[
    process.platform as string
  ] ?? '';
const parent = temporaryFolder();
let count = 0;

/** A host app that has the package installed, without its native part. */
function install(under = 'node_modules'): { app: string; packages: string; own: string } {
  const app = join(parent, `app-${String(++count)}`);
  const packages = join(app, under);
  const own = join(packages, 'sentence-embedder');
  mkdirSync(own, { recursive: true });
  cpSync(join(ROOT, 'dist'), join(own, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(own, 'package.json'));
  return { app, packages, own };
}

/** Puts the addon, and the library beside it, into a folder. Linked, unless the copy is to be found by its own path. */
function placeNative(folder: string, { withLibrary = true } = {}): void {
  mkdirSync(folder, { recursive: true });
  cpSync(join(ROOT, addon), join(folder, addon));
  if (withLibrary) symlinkSync(join(ROOT, library), join(folder, library));
}

interface Report {
  loaded?: number;
  code?: string;
  message?: string;
  cause?: string;
}

/** What becomes of loading a model in that app. */
function load(app: string, from = 'sentence-embedder', env: NodeJS.ProcessEnv = {}, cacheDir?: string): Report {
  const script = `
    Object.assign(process.env, ${JSON.stringify(env)});
    const { Embedder } = require(${JSON.stringify(from)});
    Embedder.load(${JSON.stringify({ model: modelFolder('bert'), cacheDir })}).then(
      (embedder) => console.log(JSON.stringify({ loaded: embedder.info.dimension })),
      (e) => console.log(JSON.stringify({ code: e.code, message: e.message, cause: e.cause?.message })),
    );`;
  const { stdout, stderr, status } = runScript(script, { cwd: app });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout) as Report;
}

test('the addon in the package itself', () => {
  const { app, own } = install();
  placeNative(own);
  expect(load(app)).toEqual({ loaded: 32 });
});

test('the addon in the package of the platform', () => {
  const { app, packages } = install();
  const other = join(packages, `sentence-embedder-${platform}`);
  placeNative(other);
  writeFileSync(join(other, 'package.json'), JSON.stringify({ name: `sentence-embedder-${platform}`, main: addon }));
  expect(load(app)).toEqual({ loaded: 32 });
});

test('no addon at all', () => {
  const { app, own } = install();
  expect(load(app)).toEqual({
    code: 'ERR_EMBED_RUNTIME_NOT_FOUND',
    message: [
      `The native addon of sentence-embedder for ${platform} could not be loaded. Looked for:`,
      `  - ${join(own, addon)}: no such file`,
      `  - sentence-embedder-${platform}: this package is not installed`,
      'Its package is an optional dependency: it is missing if the installation used --omit=optional, ran on another ' +
        'platform, or used a lock file of another platform. ' +
        `Install it: npm install --include=optional sentence-embedder-${platform}@${version}`,
      'In an Electron app that is packed with asar, the package must also be unpacked: see "Electron" in README.md.',
    ].join('\n'),
  });
});

test('no addon in a source checkout', () => {
  const { app, own } = install();
  writeFileSync(join(own, 'Cargo.toml'), '');
  const { code, message } = load(app);
  expect(code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
  expect(message).toContain(`build the addon with "npm run build" in ${own}`);
});

test('an addon that is no library', () => {
  const { app, own } = install();
  writeFileSync(join(own, addon), 'this is not a library');
  const { code, message, cause } = load(app);
  expect(code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
  expect(message).toContain(`${join(own, addon)}: `);
  expect(message).toContain('the system could not load it');
  expect(cause).toBeTruthy();
});

test.each([
  ['an Intel Mac', 'darwin', 'x64', 'darwin-x64'],
  ['a processor that nothing is built for', process.platform, 'mips', 'mips'],
])('a platform that no package exists for: %s', (_, os, arch, name) => {
  const { app } = install();
  const script = `
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(os)} });
    Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} });
    const { Embedder } = require('sentence-embedder');
    Embedder.load().catch((e) => console.log(e.code, e.message));`;
  const { stdout } = runScript(script, { cwd: app });
  expect(stdout).toContain('ERR_EMBED_RUNTIME_NOT_FOUND');
  expect(stdout).toMatch(new RegExp(`There is no prebuilt addon for \\S*${name}\\S*, only for linux-x64-gnu`));
  expect(stdout).toContain('set ORT_DYLIB_PATH to the absolute path of an ONNX Runtime library');
});

test('importing the package never fails', () => {
  const { app } = install();
  expect(runScript(`console.log(typeof require('sentence-embedder').Embedder)`, { cwd: app }).stdout).toBe(
    'function\n',
  );
});

test('a load that failed is tried again', () => {
  const { app, own } = install();
  const script = `
    const { cpSync, symlinkSync } = require('node:fs');
    const { Embedder } = require('sentence-embedder');
    const load = () => Embedder.load({ model: ${JSON.stringify(modelFolder('bert'))} });
    load().catch((e) => {
      console.log(e.code);
      cpSync(${JSON.stringify(join(ROOT, addon))}, ${JSON.stringify(join(own, addon))});
      symlinkSync(${JSON.stringify(join(ROOT, library))}, ${JSON.stringify(join(own, library))});
      return load().then((embedder) => console.log(embedder.info.dimension));
    });`;
  expect(runScript(script, { cwd: app }).stdout).toBe('ERR_EMBED_RUNTIME_NOT_FOUND\n32\n');
});

test('inside an asar archive, the unpacked addon is taken', () => {
  const { app, own } = install('resources/app.asar/node_modules');
  placeNative(join(app, 'resources', 'app.asar.unpacked', 'node_modules', 'sentence-embedder'));
  expect(load(app, own)).toEqual({ loaded: 32 });
});

describe('the ONNX Runtime library', () => {
  test('that is missing', () => {
    const { app, own } = install();
    placeNative(own, { withLibrary: false });
    const { code, message } = load(app);
    expect(code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
    expect(message).toContain(join(own, library));
    expect(message).toContain('ORT_DYLIB_PATH');
  });

  test('that is none', () => {
    const { app, own } = install();
    placeNative(own, { withLibrary: false });
    writeFileSync(join(own, library), 'this is not a library');
    const { code, message, cause } = load(app);
    expect(code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
    expect(message).toContain(join(own, library));
    expect(cause).toBeTruthy();
  });

  test('that is named by ORT_DYLIB_PATH', () => {
    const { app, own } = install();
    placeNative(own, { withLibrary: false });
    expect(load(app, own, { ORT_DYLIB_PATH: join(ROOT, library) })).toEqual({ loaded: 32 });
    const missing = load(app, own, { ORT_DYLIB_PATH: join(app, 'nothing.so') });
    expect(missing.code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
    expect(missing.message).toContain(join(app, 'nothing.so'));
  });

  test('that is missing costs no prepared copy', () => {
    const { app, own } = install();
    placeNative(own, { withLibrary: false });
    const cache = join(app, 'cache');
    const copies = (): string[] => readdirSync(join(cache, 'prepared'));
    expect(load(app, own, { ORT_DYLIB_PATH: join(ROOT, library) }, cache)).toEqual({ loaded: 32 });
    const made = copies();
    expect(made).not.toEqual([]);
    const { code } = load(app, own, { ORT_DYLIB_PATH: join(app, 'nothing.so') }, cache);
    expect(code).toBe('ERR_EMBED_RUNTIME_NOT_FOUND');
    expect(copies()).toEqual(made);
  });
});
