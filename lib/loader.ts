/** Finds and loads the native addon of this platform, or explains what was looked for, where, and what to run. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { embedError } from './errors.js';
import { currentPlatform, PUBLISHED_PLATFORMS } from './platform.js';

const NAME = 'sentence-embedder';

/** Loads the addon from this package's own folder (a clone) or from the platform's package (an installation). */
export function loadAddon(): unknown {
  const platform = currentPlatform();
  const root = resolve(__dirname, '..');
  const requireHere = createRequire(__filename);
  const tried: string[] = [];
  let cause: unknown;

  for (const candidate of candidates(platform, root, requireHere)) {
    if (!candidate.path) {
      tried.push(`${candidate.name}: this package is not installed`);
    } else if (!existsSync(candidate.path)) {
      tried.push(`${candidate.path}: no such file`);
    } else {
      try {
        return requireHere(candidate.path) as unknown;
      } catch (error) {
        cause ??= error;
        tried.push(`${candidate.path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  const message = [
    `The native addon of ${NAME} for ${platform} could not be loaded. Looked for:`,
    ...tried.map((line) => `  - ${line}`),
    advice(platform, root, cause !== undefined),
  ].join('\n');
  throw embedError('ERR_EMBED_RUNTIME_NOT_FOUND', message, cause === undefined ? undefined : { cause });
}

interface Candidate {
  readonly name: string;
  readonly path: string | undefined;
}

function candidates(platform: string, root: string, requireHere: NodeJS.Require): Candidate[] {
  const file = `${NAME}.${platform}.node`;
  const packageName = `${NAME}-${platform}`;
  let inPackage: string | undefined;
  try {
    inPackage = requireHere.resolve(`${packageName}/${file}`);
  } catch {
    inPackage = undefined;
  }
  return [
    { name: file, path: unpacked(join(root, file)) },
    { name: packageName, path: inPackage && unpacked(inPackage) },
  ];
}

/** The path outside an asar archive: the operating system cannot load a library from inside one. */
function unpacked(path: string): string {
  return path.replace(/\.asar(?=[\\/])/, '.asar.unpacked');
}

function advice(platform: string, root: string, found: boolean): string {
  if (existsSync(join(root, 'Cargo.toml'))) {
    return `This is a source checkout: build the addon with "npm run build" in ${root}.`;
  }
  if (!PUBLISHED_PLATFORMS.includes(platform)) {
    return (
      `There is no prebuilt addon for ${platform}, only for ${PUBLISHED_PLATFORMS.join(', ')}. ` +
      'Build it from a source checkout, see "Building" in README.md, and set ORT_DYLIB_PATH to the absolute path of an ' +
      'ONNX Runtime library for this platform.'
    );
  }
  const install = `npm install --include=optional ${NAME}-${platform}@${ownVersion(root)}`;
  if (found) {
    return `The addon is there but the system could not load it. Reinstall it: ${install}`;
  }
  return (
    'Its package is an optional dependency: it is missing if the installation used --omit=optional, ran on another ' +
    'platform, or used a lock file of another platform. ' +
    `Install it: ${install}\n` +
    'In an Electron app that is packed with asar, the package must also be unpacked: see "Electron" in README.md.'
  );
}

function ownVersion(root: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
