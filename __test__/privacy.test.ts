// Nothing is sent and nothing is written outside the cache: seen in the system calls of a whole process, on Linux.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { modelFolder } from './support/fixtures';
import { ROOT, SLOWNESS } from './support/processes';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'privacy-')));
const cacheDir = join(folder, 'cache');
const trace = join(folder, 'trace');
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Loads a folder, embeds and closes; with `offline`, asks for a model of the hub as well. */
const program = (precision: string, offline = true): string => `
  const { Embedder } = require(${JSON.stringify(join(ROOT, 'dist'))});
  (async () => {
    const options = { cacheDir: ${JSON.stringify(cacheDir)}, offline: ${String(offline)} };
    const embedder = await Embedder.load({ ...options, model: ${JSON.stringify(modelFolder('bert'))}, precision: '${precision}' });
    const vectors = await embedder.embedBatch(['nothing', 'leaves', 'this process']);
    await embedder.close();
    const asked = ${String(offline)} && Embedder.load({ ...options, model: 'some/model' });
    const error = await Promise.resolve(asked).catch((error) => error);
    console.log(vectors.length, error.code);
  })();`;

/** Runs a tool over a program, and says how to get the tool if it is not there. */
function run(tool: string, args: string[], script: string, expected = '3 ERR_EMBED_OFFLINE\n'): void {
  const { status, stdout, stderr, error } = spawnSync(tool, [...args, process.execPath, '--eval', script], {
    encoding: 'utf8',
    timeout: 150_000 * SLOWNESS,
  });
  if (error) throw new Error(`${tool} is needed for this test: apt-get install strace util-linux`, { cause: error });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: expected, stderr: '' });
}

const calls = (): string[] => readFileSync(trace, 'utf8').split('\n');

const NETWORK = ['-f', '-qq', '-e', 'trace=%network', '-o', trace];
const sockets = (): string[] => calls().filter((call) => /\b(socket|connect|bind|sendto|sendmsg)\(/.test(call));

test.each(['fp32', 'int8'])('no socket is opened: %s', (precision) => {
  run('strace', NETWORK, program(precision));
  expect(sockets()).toEqual([]);
});

test('no socket is opened for a folder either where it would be allowed', () => {
  run('strace', NETWORK, program('fp32', false), '3 undefined\n');
  expect(sockets()).toEqual([]);
});

test('a socket would be seen', () => {
  run(
    'strace',
    NETWORK,
    "require('node:net').connect(9, '127.0.0.1').on('error', () => console.log('seen'))",
    'seen\n',
  );
  expect(sockets()).not.toEqual([]);
});

test('a network is not needed', () => {
  run('unshare', ['--map-root-user', '--net'], program('fp32'));
});

test.each(['fp32', 'int8'])('nothing is written outside the cache: %s', (precision) => {
  rmSync(cacheDir, { recursive: true, force: true });
  run('strace', ['-f', '-qq', '-e', 'trace=%file', '-o', trace], program(precision));
  const writes = calls().filter(
    (call) =>
      / = \d+/.test(call) &&
      (/\b(open|openat|creat)\(.*O_(WRONLY|RDWR|CREAT)/.test(call) ||
        /\b(mkdir|rename|unlink|symlink|link|rmdir|truncate)(at2?)?\(/.test(call)),
  );
  const paths = writes.flatMap((call) => [...call.matchAll(/"([^"]*)"/g)].map(([, path]) => resolve(path!)));
  const allowed = (path: string): boolean => path.startsWith(cacheDir) || /^\/(dev|proc)\//.test(path);
  expect(paths.filter((path) => path.startsWith(cacheDir)).length).toBeGreaterThan(0);
  expect(paths.filter((path) => !allowed(path))).toEqual([]);
});
