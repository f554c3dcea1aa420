// The archives as they are published: what is in them, how large they are, and where they run.

import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as tar from 'tar';
import { temporaryFolder } from '../support/fixtures';
import { ROOT, runNode } from '../support/processes';
import { tool } from './apps';
import { archiveOf, manifests, ownPackage } from './registry';

const { main, platforms } = manifests();
const MEGABYTE = 1024 * 1024;

/** What an archive unpacks to: its files and their sizes. */
function unpacked(archive: string): Map<string, number> {
  const files = new Map<string, number>();
  tar.t({ file: archive, sync: true, onReadEntry: ({ path, size }) => files.set(path.replace('package/', ''), size) });
  return files;
}

const total = (files: Map<string, number>): number => [...files.values()].reduce((sum, size) => sum + size, 0);

test('the main package runs nothing, needs nothing, and knows its platforms', () => {
  expect(main).not.toHaveProperty('scripts');
  expect(main).not.toHaveProperty('dependencies');
  expect(main).not.toHaveProperty('devDependencies');
  expect(main.optionalDependencies).toEqual(Object.fromEntries(platforms.map(({ name }) => [name, main.version])));
});

test('the main package has the built code, the types and the words, and no more', () => {
  const files = [...unpacked(archiveOf(main)).keys()];
  expect(files).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.mjs']));
  expect(
    files.filter((file) => /\.(ts|map|node|tgz)$|test\.js$/.test(file) && !/^(types\/)?[a-z-]+\.d\.m?ts$/.test(file)),
  ).toEqual([]);
  const others = (main.files ?? []).filter((file) => file !== 'dist' && file !== 'types');
  expect(files.filter((file) => !/^(dist|types)\//.test(file)).sort()).toEqual(
    [...others, 'LICENSE', 'README.md', 'package.json'].sort(),
  );
});

test("each platform's package names its system, its processor and, on Linux, its C library", () => {
  expect(platforms.map(({ name, os, cpu, libc }) => [name, os, cpu, libc])).toEqual([
    ['sentence-embedder-linux-x64-gnu', ['linux'], ['x64'], ['glibc']],
    ['sentence-embedder-linux-arm64-gnu', ['linux'], ['arm64'], ['glibc']],
    ['sentence-embedder-darwin-arm64', ['darwin'], ['arm64'], undefined],
    ['sentence-embedder-win32-x64-msvc', ['win32'], ['x64'], undefined],
    ['sentence-embedder-win32-arm64-msvc', ['win32'], ['arm64'], undefined],
  ]);
  for (const { version, scripts } of platforms) expect({ version, scripts }).toEqual({ version: main.version });
});

test('committed manifests are what package.json gives', () => {
  expect(runNode([join(ROOT, 'scripts', 'package-manifests.mjs'), '--check'])).toMatchObject({ status: 0, stderr: '' });
});

test("the platform's package has the addon, the library and everybody's licences", () => {
  const files = unpacked(archiveOf(ownPackage));
  expect([...files.keys()].sort()).toEqual(
    [...(ownPackage.files ?? []), 'LICENSE', 'README.md', 'package.json'].sort(),
  );
  expect(total(files) + total(unpacked(archiveOf(main)))).toBeLessThan(70 * MEGABYTE);
});

test("the libraries of other platforms leave room for an addon of this one's size", () => {
  const addon = statSync(
    join(ROOT, 'npm', ownPackage.name.replace('sentence-embedder-', ''), ownPackage.main ?? ''),
  ).size;
  const largest = 45_828_512; // bytes, of the five libraries that are pinned
  expect(largest + addon + 2 * MEGABYTE).toBeLessThan(70 * MEGABYTE);
});

test('notices name every crate that the addon contains', () => {
  const notices = readFileSync(
    join(ROOT, 'npm', ownPackage.name.replace('sentence-embedder-', ''), 'THIRD-PARTY-NOTICES.txt'),
    'utf8',
  );
  const target = { linux: 'unknown-linux-gnu', darwin: 'apple-darwin', win32: 'pc-windows-msvc' }[
    process.platform as string
  ];
  const arch = process.arch === 'x64' ? 'x86_64' : 'aarch64';
  const args = ['tree', '--locked', '--edges', 'normal', '--prefix', 'none', '--target', `${arch}-${target ?? ''}`];
  const { stdout } = spawnSync('cargo', args, { cwd: ROOT, encoding: 'utf8' });
  const crates = new Set(
    [...stdout.matchAll(/^(\S+) v([^\s(]+)/gm)].map(([, name, version]) => `${name ?? ''} ${version ?? ''}:`),
  );
  crates.delete(`sentence-embedder ${main.version}:`);
  expect(crates.size).toBeGreaterThan(50);
  expect([...crates].filter((crate) => !notices.includes(`\n${crate}`))).toEqual([]);
  for (const name of ['Oniguruma', 'Apache License', 'Permission is hereby granted']) expect(notices).toContain(name);
});

(process.platform === 'linux' ? describe : describe.skip)('the C library', () => {
  const folder = join(ROOT, 'npm', ownPackage.name.replace('sentence-embedder-', ''));
  const check = (addon: string, library: string): ReturnType<typeof runNode> =>
    runNode([join(ROOT, 'scripts', 'package-glibc.mjs'), addon, library]);

  test('is needed in no newer version than ONNX Runtime needs', () => {
    const outcome = check(join(folder, ownPackage.main ?? ''), join(folder, 'libonnxruntime.so.1'));
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
  });

  test('would be noticed in a newer one', () => {
    const outcome = check(join(folder, 'libonnxruntime.so.1'), join(folder, ownPackage.main ?? '')); // the other way round
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain('CXXABI 1.3.11, but ONNX Runtime only none of it');
  });
});

describe('linted', () => {
  const parent = temporaryFolder();

  test.each([main, ownPackage])('publint: $name', async ({ name, version }) => {
    const folder = join(parent, name);
    await tar.x({ file: archiveOf({ name, version }), cwd: parent });
    renameSync(join(parent, 'package'), folder);
    expect(runNode([tool('publint', 'publint'), 'run', folder, '--strict', '--pack', 'false'])).toMatchObject({
      status: 0,
    });
  });

  test('are the types wrong? No, whoever resolves them', () => {
    const outcome = runNode([
      tool('@arethetypeswrong/cli', 'attw'),
      archiveOf(main),
      '--format',
      'ascii',
      '--no-emoji',
    ]);
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringContaining('No problems found') as string });
  });
});
