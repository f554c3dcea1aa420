// Puts the pinned ONNX Runtime library of a platform beside the addon.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyVerified, CACHE, ensureFiles, ROOT } from './packages.mjs';

/**
 * The path that the library is at afterwards; nothing where none is packaged for the platform.
 * @param {string} [platform] as Node names it: linux-x64, darwin-arm64 and so on
 * @returns {Promise<string | undefined>}
 */
export async function placeRuntime(platform = `${process.platform}-${process.arch}`) {
  const pins = JSON.parse(await readFile(new URL('./pins.json', import.meta.url), 'utf8')).onnxruntime;
  const library = pins.libraries[platform];
  if (!library) {
    console.warn(
      `No ONNX Runtime ${String(pins.version)} is packaged for ${platform}, only for ` +
        `${Object.keys(pins.libraries).join(', ')}. Set ORT_DYLIB_PATH to the absolute path of a library of that version.`,
    );
    return undefined;
  }
  const beside = join(ROOT, library.name);
  await copyVerified(await fetchRuntime(platform), beside, library.sha256);
  return beside;
}

/**
 * The path of the pinned library of a platform in the cache, fetching it if it is not there.
 * @param {string} platform one that has a library
 * @returns {Promise<string>}
 */
export async function fetchRuntime(platform) {
  const pins = JSON.parse(await readFile(new URL('./pins.json', import.meta.url), 'utf8')).onnxruntime;
  const folder = join(CACHE, `onnxruntime-${String(pins.version)}`, platform);
  await ensureFiles(folder, pins, [pins.libraries[platform]]);
  return join(folder, pins.libraries[platform].name);
}
