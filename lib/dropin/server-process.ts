/** The sidecar's own process, where this one starts it: its start, what it tells on the way, and its end. */

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { embedError } from '../errors.js';
import type { StartContext } from './engine.js';
import type { SidecarConfig } from './iembedder.js';

/** How long the process may take to end by itself. */
const STOP_MS = 5000;

/** How long its output may stay open once it has ended: whatever it started itself may hold it for ever. */
const OUTPUT_MS = 500;

/** The last lines of its stderr that an error shows. */
const SHOWN_LINES = 10;

type Command = NonNullable<NonNullable<SidecarConfig['sidecar']>['command']>;

/** A child process that is stopped when this one exits by itself. A signal that ends this one at once leaves it running. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #complaints: string[] = [];
  readonly #ended: Promise<void>;
  #end: Error | undefined;

  constructor({ file, args = [], cwd, env }: Command, tell: StartContext['tell']) {
    this.#child = spawn(file, args, {
      cwd,
      env: env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const { stdout, stderr } = this.#child;
    if (stdout) createInterface(stdout).on('line', (line) => { tellProgress(line, tell); }); // prettier-ignore
    if (stderr) {
      createInterface(stderr).on('line', (line) => {
        this.#complaints.push(line);
        if (this.#complaints.length > SHOWN_LINES) this.#complaints.shift();
      });
    }
    const stopWithThisProcess = (): void => {
      this.#child.kill();
    };
    process.once('exit', stopWithThisProcess);
    this.#ended = new Promise((resolve) => {
      const ended = (message: string, cause?: unknown): void => {
        process.removeListener('exit', stopWithThisProcess);
        this.#end ??= embedError(
          'ERR_EMBED_RUNTIME_NOT_FOUND',
          [`The sidecar ${file} ${message}`, ...this.#complaints].join('\n'),
          cause === undefined ? undefined : { cause },
        );
        resolve();
      };
      this.#child.once('error', (error) => { ended('cannot be started', error); }); // prettier-ignore
      this.#child.once('exit', (code, signal) => {
        const end = (): void => {
          clearTimeout(limit);
          stdout?.destroy();
          stderr?.destroy();
          ended(`ended (${String(code ?? signal)})`);
        };
        const limit = setTimeout(end, OUTPUT_MS);
        this.#child.once('close', end);
      });
    });
  }

  /** Why the process is no more; nothing while it runs. */
  get end(): Error | undefined {
    return this.#end;
  }

  /** Asks the process to end, and sees to it. */
  async stop(): Promise<void> {
    this.#child.kill();
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#ended;
    clearTimeout(force);
  }
}

/** `PROGRESS:{"type":"download_started"|"model_cached"|"model_loaded","data":{...}}`; other lines are the server's own. */
function tellProgress(line: string, tell: StartContext['tell']): void {
  if (!line.startsWith('PROGRESS:')) return;
  let type: unknown;
  try {
    ({ type } = JSON.parse(line.slice('PROGRESS:'.length)) as { type?: unknown });
  } catch {
    return;
  }
  if (type === 'download_started') tell('downloading', 'The sidecar is downloading its model');
  if (type === 'model_cached') tell('loading', 'The sidecar is loading its model');
}
