// Packages an app: node pack.mjs '{ "tool", "dir", "out", "electron", "settings" }'
// tool: electron-builder, which reads its settings in the app's package.json, or packager, whose `settings` are JavaScript.
// electron: the folder of an unpacked Electron, if one is at hand.

import { packager } from '@electron/packager';
import { build, Platform } from 'electron-builder';
import { runInNewContext } from 'node:vm';
import { whichElectron } from '../../../scripts/package-app.mjs';

/** @type {{ tool: string, dir: string, out: string, electron?: string, settings?: string }} */
const { tool, dir, out, electron, settings = '' } = JSON.parse(process.argv[2] ?? '');
const which = whichElectron(electron);
process.chdir(dir); // where the paths in the settings begin
if (tool === 'electron-builder') {
  await build({
    projectDir: dir,
    targets: Platform.current().createTarget('dir'),
    config: {
      directories: { output: out },
      electronVersion: which.electronVersion,
      ...(electron ? { electronDist: electron } : {}),
    },
  });
} else {
  await packager({ dir, out, quiet: true, ...which, ...runInNewContext(`({ ${settings} })`) });
}
