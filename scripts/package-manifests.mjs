// The manifests and READMEs of the platforms' packages under npm/: node scripts/package-manifests.mjs [--check]
// With --check nothing is written: it fails if a committed file is not what package.json gives.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOT } from './packages.mjs';

/**
 * @typedef {{ target: string, runtime: string, os: string, cpu: string, libc?: string, words: string }} Platform
 */

/** Every platform that a package is published for, as lib/platform.ts names it. @type {Record<string, Platform>} */
export const PLATFORMS = {
  'linux-x64-gnu': {
    target: 'x86_64-unknown-linux-gnu',
    runtime: 'linux-x64',
    os: 'linux',
    cpu: 'x64',
    libc: 'glibc',
    words: 'Linux on x64 with glibc 2.28 or later',
  },
  'linux-arm64-gnu': {
    target: 'aarch64-unknown-linux-gnu',
    runtime: 'linux-arm64',
    os: 'linux',
    cpu: 'arm64',
    libc: 'glibc',
    words: 'Linux on arm64 with glibc 2.28 or later',
  },
  'darwin-arm64': {
    target: 'aarch64-apple-darwin',
    runtime: 'darwin-arm64',
    os: 'darwin',
    cpu: 'arm64',
    words: 'macOS on Apple silicon',
  },
  'win32-x64-msvc': {
    target: 'x86_64-pc-windows-msvc',
    runtime: 'win32-x64',
    os: 'win32',
    cpu: 'x64',
    words: 'Windows on x64',
  },
  'win32-arm64-msvc': {
    target: 'aarch64-pc-windows-msvc',
    runtime: 'win32-arm64',
    os: 'win32',
    cpu: 'arm64',
    words: 'Windows on arm64',
  },
};

/** The files of a platform's package beside its manifest, and where each comes from. */
export const NOTICES = [
  'LICENSE',
  'THIRD-PARTY-NOTICES.txt',
  'onnxruntime/LICENSE',
  'onnxruntime/ThirdPartyNotices.txt',
];

/** @param {string} name */
export const readJson = (name) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));

/** The name of the addon's file. @param {string} platform */
export const addonName = (platform) => `${String(readJson('package.json').name)}.${platform}.node`;

/** The pinned ONNX Runtime library of a platform. @param {string} platform */
export const libraryOf = (platform) =>
  readJson('scripts/pins.json').onnxruntime.libraries[platformOf(platform).runtime];

/** @param {string} platform @returns {Platform} */
export function platformOf(platform) {
  const found = PLATFORMS[platform];
  if (found) return found;
  throw new Error(`Expected one of ${Object.keys(PLATFORMS).join(', ')} but found ${platform}`);
}

/** The platform that this machine builds for. */
export function ownPlatform() {
  const found = Object.entries(PLATFORMS).find(([, { os, cpu }]) => os === process.platform && cpu === process.arch);
  if (found) return found[0];
  throw new Error(`No package is published for ${process.platform}-${process.arch}`);
}

/** What both kinds of package share: `repository` is known where the release is made, and provenance asks for it. */
export function shared() {
  const { version, license, engines } = readJson('package.json');
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  const url = server && repository ? { repository: { type: 'git', url: `git+${server}/${repository}.git` } } : {};
  return { version, license, engines, ...url };
}

/** @param {string} platform */
function manifest(platform) {
  const { os, cpu, libc, words } = platformOf(platform);
  const { name } = readJson('package.json');
  const { version, license, engines } = shared();
  return {
    name: `${String(name)}-${platform}`,
    version,
    description: `The native part of ${String(name)} for ${words}`,
    license,
    type: 'commonjs',
    main: addonName(platform),
    files: [addonName(platform), libraryOf(platform).name, ...NOTICES.filter((file) => file !== 'LICENSE')],
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    engines,
    preferUnplugged: true,
  };
}

/** @param {string} platform */
function readme(platform) {
  const { name } = readJson('package.json');
  const { version } = readJson('scripts/pins.json').onnxruntime;
  return `# ${String(name)}-${platform}

The native part of [${String(name)}](https://www.npmjs.com/package/${String(name)}) for ${platformOf(platform).words}: the addon, and ONNX Runtime
${String(version)} beside it. It is installed as a dependency of that package and is of no use alone.

| file | licence |
|---|---|
| \`${addonName(platform)}\` | MIT, see LICENSE; third-party code: see THIRD-PARTY-NOTICES.txt |
| \`${String(libraryOf(platform).name)}\` | MIT, see onnxruntime/LICENSE; third-party code: see onnxruntime/ThirdPartyNotices.txt |

Official builds of ONNX Runtime send telemetry by default; ${String(name)} turns it off.
`;
}

/** Every committed file below npm/ that this program makes. */
export function manifestFiles() {
  return Object.keys(PLATFORMS).flatMap((platform) => [
    { path: join('npm', platform, 'package.json'), content: `${JSON.stringify(manifest(platform), null, 2)}\n` },
    { path: join('npm', platform, 'README.md'), content: readme(platform) },
  ]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  for (const { path, content } of manifestFiles()) {
    const file = join(ROOT, path);
    if (!values.check) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    } else if (readFileSync(file, 'utf8').replaceAll('\r\n', '\n') !== content) {
      console.error(`${path} is not what package.json gives: run "npm run build:manifests" and commit it.`);
      process.exitCode = 1;
    }
  }
}
