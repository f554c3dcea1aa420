// Starts the real Electron, whose path ELECTRON_BINARY has.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The path of the Electron to test in. */
export function electronBinary(): string {
  const path = process.env['ELECTRON_BINARY'];
  if (path && existsSync(path)) return path;
  throw new Error(
    `Expected the path of an Electron in the environment variable ELECTRON_BINARY but found ${path ?? 'nothing'}. ` +
      'Get one in an empty folder with "npm install electron && npx electron --version": it is then ' +
      'node_modules/electron/dist/electron (electron.exe on Windows, Electron.app/Contents/MacOS/Electron on macOS).',
  );
}

/** A command line under a display: its own one on a Linux without, through xvfb-run, open to every user of the machine. */
export function underDisplay(command: string, args: string[]): [string, string[]] {
  const needed = process.platform === 'linux' && !process.env['DISPLAY'];
  return needed ? ['xvfb-run', ['-a', '-s', '-ac -screen 0 1280x1024x24', command, ...args]] : [command, args];
}

/** What Electron is started with here: a test machine has no GPU and often no user namespaces. */
export const FLAGS = ['--no-sandbox', '--disable-gpu'];

/** Runs an app to its end. */
export function runApp(binary: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const [command, all] = underDisplay(binary, args);
    const child = spawn(command, all, { env: { ...process.env, ...env }, timeout: 400_000 });
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
