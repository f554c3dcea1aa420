// The settings of the guide for electron-builder and @electron/packager, as they stand there: a small app that is packaged with
// them embeds, and has its code in the archive, the native package beside it and the model once.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { blocksOf } from '../support/examples';
import { temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { ROOT } from '../support/processes';
import { electronBinary, FLAGS, packagedAs, runApp, useDisplay } from './support';

const { executable, resources } = packagedAs('small-app');
const app = temporaryFolder();
const out = temporaryFolder();
const MANIFEST = join(app, 'package.json');
// On macOS an Electron is a bundle with links, which only its own archive keeps: the packagers fetch that.
const electron = process.platform === 'darwin' ? undefined : dirname(electronBinary());

const blocks = blocksOf('docs/electron.md');
const settings = (name: string): string => blocks.find(({ compiledAs }) => compiledAs === name)?.source ?? '';

function run(command: string, args: string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: app,
    env: { ...process.env, CSC_IDENTITY_AUTO_DISCOVERY: 'false' }, // nothing is signed
    encoding: 'utf8',
    shell: command === 'npm' && process.platform === 'win32',
  });
  expect({ args, status, output: status === 0 ? '' : stdout + stderr }).toEqual({ args, status: 0, output: '' });
}

/** Packages the app, looks at what came out, and starts it. */
async function expectToEmbed(tool: string, more?: string): Promise<void> {
  const within = join(out, tool);
  const job = { tool, dir: app, out: within, electron, settings: more };
  run(process.execPath, [join(__dirname, 'app', 'pack.mjs'), JSON.stringify(job)]);
  const [folder = ''] = readdirSync(within).filter((name) => existsSync(join(within, name, resources)));
  const unpacked = join(within, folder, resources, 'app.asar.unpacked', 'node_modules');
  const native = readdirSync(unpacked);
  expect(native).toEqual([expect.stringMatching(/^sentence-embedder-/)]);
  const files = readdirSync(join(unpacked, native[0] ?? ''));
  for (const name of [/\.node$/, /onnxruntime\./]) {
    expect(files).toEqual(expect.arrayContaining([expect.stringMatching(name)]));
  }
  expect(statSync(join(within, folder, resources, 'app.asar')).size).toBeLessThan(5e6);
  const { code, stdout, stderr } = await runApp(join(within, folder, executable), FLAGS);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ dimension: 384, inArchive: true });
}

useDisplay();

beforeAll(() => {
  const packages = join(ROOT, '.cache', 'packages');
  const archives = readdirSync(packages).filter((name) => name.endsWith('.tgz'));
  expect(archives).toHaveLength(2); // the package and this platform's, which scripts/package.mjs makes
  copyFileSync(join(__dirname, 'app', 'packaged.mjs'), join(app, 'main.mjs'));
  mkdirSync(join(app, 'models'));
  cpSync(miniLM(), join(app, 'models', 'all-MiniLM-L6-v2'), { recursive: true });
  const manifest = { name: 'small-app', version: '1.0.0', main: 'main.mjs', description: 'small', author: 'nobody' };
  writeFileSync(MANIFEST, JSON.stringify(manifest));
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', [...args, ...archives.map((name) => join(packages, name))]);
});

test('electron-builder', async () => {
  const manifest = JSON.parse(readFileSync(MANIFEST, 'utf8')) as object;
  const build = JSON.parse(`{ ${settings('a part of package.json for electron-builder')} }`) as object;
  writeFileSync(MANIFEST, JSON.stringify({ ...manifest, ...build }));
  await expectToEmbed('electron-builder');
});

test('@electron/packager', async () => {
  await expectToEmbed('packager', settings('options of @electron/packager'));
});
