// Builds the addon as it is published: node scripts/package-addon.mjs
// On Linux against the C library that the ONNX Runtime library asks for, whatever this machine has, by way of zig.

import { execFileSync } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CACHE, ROOT } from './packages.mjs';
import { addonName, ownPlatform, platformOf } from './package-manifests.mjs';
import { withTools } from './pip-tools.mjs';

/** The glibc of the ONNX Runtime library, which the addon is linked against: RHEL 8, Debian 10, Ubuntu 18.10 and later. */
const GLIBC = '2.28';

const withZig = () => withTools('zig', 'package-requirements.txt', 'cargo-zigbuild');

/**
 * Builds the addon of this platform and says where it is.
 * @returns {Promise<string>}
 */
export async function buildPortable() {
  const platform = ownPlatform();
  const { target, os } = platformOf(platform);
  const built = join(CACHE, addonName(platform));
  const linux = os === 'linux';
  const [command, env] = linux ? ['zigbuild', withZig()] : ['build', process.env];
  const args = [command, '--release', '--locked', '--target', linux ? `${target}.${GLIBC}` : target];
  // Node and Electron carry their own C runtime on Windows, so the addon must too.
  const flags = os === 'win32' ? { RUSTFLAGS: '-C target-feature=+crt-static' } : {};
  execFileSync('cargo', args, { cwd: ROOT, stdio: 'inherit', env: { ...env, ...flags } });
  const names = {
    linux: 'libsentence_embedder.so',
    darwin: 'libsentence_embedder.dylib',
    win32: 'sentence_embedder.dll',
  };
  const name = names[/** @type {keyof typeof names} */ (os)];
  await copyFile(join(ROOT, 'target', target, 'release', name), built);
  return built;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(await buildPortable());
