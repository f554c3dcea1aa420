// Makes the packages as they are published: node scripts/package.mjs [--addon FILE] [--platform NAME]
// The main one and that of the platform, packed into .cache/packages/.

import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildPortable } from './package-addon.mjs';
import { neededVersions, newerThan } from './package-glibc.mjs';
import {
  addonName,
  libraryOf,
  NOTICES,
  ownPlatform,
  PLATFORMS,
  platformOf,
  readJson,
  shared,
} from './package-manifests.mjs';
import { rustNotices } from './package-notices.mjs';
import { CACHE, ROOT } from './packages.mjs';
import { fetchRuntime } from './runtime.mjs';

/** Where the packages are put. */
export const PACKAGES = join(CACHE, 'packages');

/** The manifest of the main package as it is published: nothing runs at installation, and it knows its platforms. */
export function mainManifest() {
  const unpublished = { scripts: undefined, devDependencies: undefined, napi: undefined }; // left out of the JSON
  const { version, ...manifest } = { ...readJson('package.json'), ...unpublished };
  const names = Object.keys(PLATFORMS).map((platform) => `${String(manifest.name)}-${platform}`);
  const optionalDependencies = Object.fromEntries(names.map((name) => [name, version]));
  return { ...manifest, ...shared(), optionalDependencies };
}

/** Puts the main package together in a folder of its own. */
function stageMain() {
  const manifest = mainManifest();
  const folder = join(PACKAGES, 'main');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of [...manifest.files, 'README.md', 'LICENSE']) {
    cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}

/**
 * Fills npm/<platform>/ with the addon, the library and everybody's licences.
 * @param {string} platform
 * @param {string} addon
 */
async function fillPlatform(platform, addon) {
  const folder = join(ROOT, 'npm', platform);
  const { name } = libraryOf(platform);
  copyFileSync(addon, join(folder, addonName(platform)));
  copyFileSync(await fetchRuntime(platformOf(platform).runtime), join(folder, name));
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  cpSync(join(ROOT, 'npm', 'onnxruntime'), join(folder, 'onnxruntime'), { recursive: true });
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), rustNotices(platformOf(platform).target));

  if (platformOf(platform).os === 'linux') {
    const newer = newerThan(neededVersions(addon), neededVersions(join(folder, name)));
    if (newer.length > 0)
      throw new Error(`${addon} needs ${newer.join(' and ')}: build it with npm run build:portable`);
  }
  const missing = [addonName(platform), name, ...NOTICES].filter((file) => {
    return !readdirSync(dirname(join(folder, file))).includes(file.replace(/.*\//, ''));
  });
  if (missing.length > 0) throw new Error(`npm/${platform} lacks ${missing.join(', ')}`);
  return folder;
}

/**
 * Packs a folder and says where the archive is.
 * @param {string} folder
 */
function pack(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const args = ['pack', '--ignore-scripts', '--dry-run=false', '--silent', '--pack-destination', PACKAGES];
  execFileSync('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  return join(PACKAGES, `${String(name)}-${String(version)}.tgz`);
}

/**
 * Makes both archives.
 * @param {{ addon?: string | undefined, platform?: string | undefined }} [options]
 */
export async function makePackages({ addon, platform = ownPlatform() } = {}) {
  mkdirSync(PACKAGES, { recursive: true });
  const native = await fillPlatform(platform, addon ?? (await buildPortable()));
  return { main: pack(stageMain()), native: pack(native) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { addon: { type: 'string' }, platform: { type: 'string' } } });
  console.log(await makePackages(values));
}
