// Puts the pinned ONNX Runtime library of a platform beside the addon.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyVerified, CACHE, ensureFiles, ROOT } from './packages.mjs';

/** @param {string} [platform] as Node names it: linux-x64, darwin-arm64 and so on */
export async function placeRuntime(platform = `${process.platform}-${process.arch}`) {
  const pins = JSON.parse(await readFile(new URL('./pins.json', import.meta.url), 'utf8')).onnxruntime;
  const library = pins.libraries[platform];
  if (!library) {
    console.warn(
      `No ONNX Runtime ${String(pins.version)} is packaged for ${platform}, only for ` +
        `${Object.keys(pins.libraries).join(', ')}. Set ORT_DYLIB_PATH to the absolute path of a library of that version.`,
    );
    return;
  }
  const folder = join(CACHE, `onnxruntime-${String(pins.version)}`, platform);
  await ensureFiles(folder, pins, [library]);
  await copyVerified(join(folder, library.name), join(ROOT, library.name), library.sha256);
}
