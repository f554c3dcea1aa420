// Packages an app with @electron/packager: node pack.mjs '{ "dir", "out", "electron", "settings" }'
// electron: the folder of an unpacked Electron, if one is at hand. settings: more options, as JavaScript.

import { packager } from '@electron/packager';
import { runInNewContext } from 'node:vm';
import { whichElectron } from '../../../scripts/package-app.mjs';

/** @type {{ dir: string, out: string, electron?: string, settings: string }} */
const { dir, out, electron, settings } = JSON.parse(process.argv[2] ?? '');
process.chdir(dir); // where the paths in the settings begin
await packager({ dir, out, quiet: true, ...whichElectron(electron), ...runInNewContext(`({ ${settings} })`) });
