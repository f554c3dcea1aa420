// Starts the real Electron, whose path ELECTRON_BINARY has.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ROOT } from '../support/processes';

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The path of the Electron to test in: the one that is named, else the one that its own package downloaded. */
export function electronBinary(): string {
  const { ELECTRON_BINARY: named } = process.env;
  if (named && existsSync(named)) return named;
  const own = join(ROOT, 'node_modules', 'electron');
  const installed = join(own, 'path.txt');
  if (!named && existsSync(installed)) return join(own, 'dist', readFileSync(installed, 'utf8'));
  throw new Error(
    `Expected the path of an Electron in the environment variable ELECTRON_BINARY but found ${named ?? 'nothing'}. ` +
      'Without the variable, the Electron is taken that "npx install-electron" downloads.',
  );
}

/**
 * A display for the tests of a file, which the programs they start find in their environment: on a Linux without one, an
 * X server of their own. Not through xvfb-run, whose exit code would stand in the way of Electron's.
 */
export function useDisplay(): void {
  let server: ChildProcess | undefined;
  beforeAll(async () => {
    if (process.platform !== 'linux' || process.env['DISPLAY']) return;
    const args = ['-displayfd', '3', '-ac', '-nolisten', 'tcp', '-screen', '0', '1280x1024x24'];
    server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    const ended = once(server, 'exit').catch(() => undefined); // rejects where there is no such program
    const started = once(server.stdio[3] as Readable, 'data') as Promise<[Buffer]>;
    const number = await Promise.race([started, ended.then(() => undefined)]);
    if (!number) {
      throw new Error(
        'Electron needs a display: none is named by DISPLAY, and Xvfb, which makes one, did not start. ' +
          'Install it: apt-get install xvfb',
      );
    }
    process.env['DISPLAY'] = `:${String(number[0]).trim()}`;
  });
  afterAll(() => {
    if (!server) return;
    server.kill();
    delete process.env['DISPLAY'];
  });
}

/** Where a packaged app of this name has its program and its resources. */
export function packagedAs(name: string): { executable: string; resources: string } {
  switch (process.platform) {
    case 'darwin':
      return { executable: `${name}.app/Contents/MacOS/${name}`, resources: `${name}.app/Contents/Resources` };
    case 'win32':
      return { executable: `${name}.exe`, resources: 'resources' };
    default:
      return { executable: name, resources: 'resources' };
  }
}

/** What Electron is started with here: a test machine has no GPU and often no user namespaces. */
export const FLAGS = ['--no-sandbox', '--disable-gpu'];

/** Runs an app to its end. */
export function runApp(binary: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { env: { ...process.env, ...env }, timeout: 400_000 });
    const ending = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (ending.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (ending.stderr += data.toString()));
    child.on('error', reject).on('close', (code, signal) => {
      resolve({ code, signal, ...ending });
    });
  });
}

/** Words that a process leaves behind when it does not end as it should. */
export const CRASH =
  /SIG[A-Z]{3,}|signal \d|segmentation|core dumped|terminate called|panicked|FATAL|napi_fatal|crashed/i;
