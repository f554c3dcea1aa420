// The example app, packaged as a person would ship it and driven as a person would use it: from a read-only folder with
// spaces and foreign letters in its path, and, where this test may arrange that, as an ordinary user without a network.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '../support/fixtures';
import { ROOT } from '../support/processes';
import { CRASH, electronBinary, FLAGS, packagedAs, useDisplay } from './support';

const binary = electronBinary();
const parent = temporaryFolder();
const NOBODY = 65534;
const root = process.platform === 'linux' && process.getuid?.() === 0;

const { executable, resources } = packagedAs('find-by-meaning');

interface Seen {
  reach: { require: string; process: string; engine: string[] };
  sandboxed?: boolean;
  whileIndexing: { state: string; milliseconds: number };
  paused: [number, number];
  stalls: { window: number; main: number };
  first: string;
  ended: [code: number | null, signal: string | null];
  requests: string[];
  networks: string[];
  user?: number;
}

/** A folder of many texts, so that indexing takes a while. */
function manyTexts(): string {
  const folder = join(parent, 'many texts');
  mkdirSync(folder);
  const passages = JSON.parse(readFileSync(join(ROOT, 'demo', 'passages.json'), 'utf8')) as { text: string }[];
  for (let i = 0; i < 400; i++) {
    const texts = passages.map(({ text }, row) => `# ${String(i)}, ${String(row)}\n\n${text} ${String(i * row)}\n`);
    writeFileSync(join(folder, `text ${String(i)}.md`), texts.join('\n'));
  }
  return folder;
}

useDisplay();

let folder = '';

beforeAll(() => {
  const out = join(parent, 'Meine Programme', 'Größe 検索');
  // On macOS an Electron is a bundle with links, which only its own archive keeps: the packager fetches that.
  const electron = process.platform === 'darwin' ? [] : ['--electron', dirname(binary)];
  const args = [join(ROOT, 'scripts', 'package-app.mjs'), ...electron, '--out', out];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' });
  folder = join(out, readdirSync(out)[0] ?? '');
}, 300_000);

test('the archive holds the code; the addon, the library and the model are beside it', () => {
  const inFolder = join(folder, resources);
  const unpacked = join(inFolder, 'app.asar.unpacked', 'node_modules');
  const [native = ''] = readdirSync(unpacked).filter((name) => name.startsWith('sentence-embedder-'));
  const files = readdirSync(join(unpacked, native));
  expect(files).toEqual(expect.arrayContaining(['package.json', expect.stringMatching(/\.node$/)]));
  expect(files.some((name) => name.includes('onnxruntime.'))).toBe(true);
  expect(existsSync(join(inFolder, 'model', 'onnx', 'model.onnx'))).toBe(true);
  expect(existsSync(join(inFolder, 'app.asar'))).toBe(true);
});

test('it indexes, pauses, stops and finds by meaning, and its window never stalls', () => {
  const home = join(parent, 'home');
  mkdirSync(home);
  const notes = join(parent, 'notes');
  cpSync(join(ROOT, 'examples', 'electron-search', 'notes'), notes, { recursive: true });
  const shot = join(home, 'window.png');
  const config = {
    executable: join(folder, executable),
    flags: FLAGS.filter((flag) => flag !== '--no-sandbox'),
    sandbox: root, // an ordinary user has one; on machines of others it may be forbidden
    many: manyTexts(),
    notes,
    home,
    screenshot: shot,
  };
  // A copy of its own: the checkout may lie where an ordinary user cannot read.
  const driver = join(parent, 'driver');
  const playwright = join('node_modules', 'playwright-core');
  cpSync(join(__dirname, 'app', 'drive.mjs'), join(driver, 'drive.mjs'));
  cpSync(join(ROOT, playwright), join(driver, playwright), { recursive: true });
  let command = [process.execPath, join(driver, 'drive.mjs'), JSON.stringify(config)];
  if (root) {
    execFileSync('chown', ['-R', `${String(NOBODY)}:${String(NOBODY)}`, home]);
    execFileSync('chmod', ['-R', 'a-w,a+rX', join(parent, 'Meine Programme')]);
    chmodSync(parent, 0o755);
    const user = ['setpriv', `--reuid=${String(NOBODY)}`, `--regid=${String(NOBODY)}`, '--clear-groups'];
    command = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', ...user, ...command];
  }
  const [program = '', ...args] = command;
  const env = { ...process.env, HOME: home, ELECTRON_BINARY: undefined, XDG_RUNTIME_DIR: undefined };
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: home, env, timeout: 240_000 });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  expect(stderr).not.toMatch(CRASH);

  const seen = JSON.parse(stdout) as Seen;
  expect(seen.reach).toEqual({
    require: 'undefined',
    process: 'undefined',
    engine: ['cancel', 'chooseFolder', 'onMessage', 'pause', 'resume', 'search'],
  });
  expect(seen.whileIndexing.state).toBe('indexing');
  expect(seen.paused[1]).toBe(seen.paused[0]);
  expect(seen.first).toContain('bread.md');
  expect(seen.first).toContain('Yeast eats the sugar');
  expect(seen.ended).toEqual([0, null]);
  expect(seen.requests.filter((protocol) => protocol !== 'file:')).toEqual([]);
  if (root) expect(seen).toMatchObject({ user: NOBODY, networks: ['lo'], sandboxed: true });
  // Where two cores do everything, a stall of a busy machine is not one of the app; a blocked thread would be seconds.
  expect(seen.stalls.window).toBeLessThan(500);
  expect(seen.stalls.main).toBeLessThan(500);
  const { SCREENSHOT } = process.env;
  if (SCREENSHOT) cpSync(shot, SCREENSHOT);
}, 300_000);
