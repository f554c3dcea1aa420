// Packages the example app as a person would ship it: node scripts/package-app.mjs [--electron FOLDER] [--out FOLDER]
// Needs the packages that scripts/package.mjs made. With the folder of an unpacked Electron, none is downloaded.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { packager } from '@electron/packager';
import { fetchModel } from './models.mjs';
import { CACHE, ROOT } from './packages.mjs';
import { ownPlatform, readJson } from './package-manifests.mjs';
import { PACKAGES } from './package.mjs';

const EXAMPLE = join(ROOT, 'examples', 'electron-search');

/** The example with its dependencies, this repository's packages among them, in a folder of its own. */
export function stageApp() {
  const staged = join(CACHE, 'electron-search');
  const { name, version } = readJson('package.json');
  const native = `${String(name)}-${ownPlatform()}`;
  const manifest = JSON.parse(readFileSync(join(EXAMPLE, 'package.json'), 'utf8'));
  for (const own of [name, native]) {
    manifest.dependencies[own] = `file:${join(PACKAGES, `${String(own)}-${String(version)}.tgz`)}`;
  }
  // The archives have the same names and versions after every build: what is installed of them is not to be trusted.
  rmSync(join(staged, 'package-lock.json'), { force: true });
  for (const own of [name, native]) rmSync(join(staged, 'node_modules', own), { recursive: true, force: true });
  mkdirSync(staged, { recursive: true });
  for (const part of ['src', 'window', 'notes']) {
    rmSync(join(staged, part), { recursive: true, force: true });
    cpSync(join(EXAMPLE, part), join(staged, part), { recursive: true });
  }
  writeFileSync(join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const args = ['install', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', args, {
    cwd: staged,
    shell: process.platform === 'win32',
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return staged;
}

/**
 * Packages the staged app with asar, the native packages beside the archive and the model among the resources.
 * @param {{ electron: string | undefined, out: string }} options electron: the folder of an unpacked Electron
 * @returns {Promise<string>} the app's folder
 */
export async function packageApp({ electron, out }) {
  const staged = stageApp();
  const resources = join(CACHE, 'electron-search-resources');
  const model = join(resources, 'model');
  if (!existsSync(model)) cpSync(await fetchModel('all-MiniLM-L6-v2'), model, { recursive: true });
  rmSync(out, { recursive: true, force: true });
  const [folder = ''] = await packager({
    dir: staged,
    out,
    name: 'find-by-meaning',
    overwrite: true,
    quiet: true,
    prune: false, // only what runs was installed
    asar: { unpackDir: '**/node_modules/{sentence-embedder-*,@lancedb/lancedb-*}' },
    ignore: [/^\/notes/, /\.md$/, /\.d\.[cm]?ts$/, /\.map$/],
    extraResource: [model],
    ...whichElectron(electron),
  });
  return folder;
}

/**
 * What tells the packager which Electron to take: the version of this repository's, which it downloads, or an archive that is
 * made of an unpacked one.
 * @param {string | undefined} electron the folder of an unpacked one
 * @returns {{ electronVersion: string, electronZipDir?: string }}
 */
export function whichElectron(electron) {
  if (!electron) return { electronVersion: String(readJson('node_modules/electron/package.json').version) };
  const version = readFileSync(join(electron, 'version'), 'utf8').trim().replace(/^v/, '');
  const folder = join(CACHE, 'electron');
  const archive = join(folder, `electron-v${version}-${process.platform}-${process.arch}.zip`);
  const found = { electronVersion: version, electronZipDir: folder };
  if (existsSync(archive)) return found;
  mkdirSync(folder, { recursive: true });
  // Python, which the tests need anyhow, zips on every system and keeps what may be executed.
  const program = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_STORED) as archive:
    for folder, _, names in os.walk(sys.argv[1]):
        for name in names:
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, sys.argv[1]))`;
  const python = process.platform === 'win32' ? 'python' : 'python3';
  execFileSync(python, ['-c', program, electron, archive], { stdio: 'inherit' });
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { electron: { type: 'string' }, out: { type: 'string' } } });
  const electron = values.electron && resolve(values.electron);
  console.log(await packageApp({ electron, out: resolve(values.out ?? join(CACHE, 'app')) }));
}
