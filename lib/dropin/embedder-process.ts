/** The process that runs isolated-child.ts: its start in Node and in Electron, what is said to it and by it, and its end. */

import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isMainThread } from 'node:worker_threads';
import { embedError } from '../errors.js';
import type { EmbedError } from '../types.js';
import { atMost } from './batches.js';
import type { Order, Report } from './isolated-protocol.js';
import { untilAborted } from './signals.js';

/** How long the process may take to end by itself. */
const STOP_MS = 5000;

/** How long its output may stay open once it has ended. */
const OUTPUT_MS = 500;

/** The end of its stderr that an error has, in characters. */
const KEPT_STDERR = 4000;

const PROGRAM = join(__dirname, 'isolated-child.js');

/** What Node's child and Electron's utility process have in common. */
interface Child {
  readonly pid: number | undefined;
  readonly stderr: Readable | null;
  post(order: Order): void;
  /** Ends it whatever it does. Once it has ended, its id may be another's and gets no signal. */
  kill(): void;
  /** Whether this process stays alive for the child's sake. */
  hold(held: boolean): void;
  listen(listeners: {
    message: (report: Report) => void;
    exit: (code: number | null, signal: NodeJS.Signals | null) => void;
    error: (error: Error) => void;
  }): void;
}

/** A process of its own for one embedder. It ends when this one does, however that happens. */
export class EmbedderProcess {
  readonly #child: Child;
  readonly #ended: Promise<EmbedError>;
  #end: EmbedError | undefined;
  #stderr = '';
  #isStopping = false;

  private constructor(child: Child, onReport: (report: Report) => void) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR);
    });
    this.#ended = new Promise((resolve) => {
      const ended = (error: EmbedError): void => {
        this.#end ??= error;
        resolve(this.#end);
      };
      child.listen({
        message: onReport,
        error: (cause) => {
          if (child.pid !== undefined) return; // it runs: an end comes by itself
          ended(embedError('ERR_EMBED_RUNTIME_NOT_FOUND', "The embedder's process cannot be started", { cause }));
        },
        exit: (code, signal) => {
          const heard = this.#isStopping ? Promise.resolve() : untilEnd(child.stderr);
          void heard.then(() => {
            child.stderr?.destroy();
            ended(this.#endOf(code, signal));
          });
        },
      });
    });
    child.hold(false);
  }

  /** Rejects when the signal is aborted before it has started. */
  static async start(signal: AbortSignal, onReport: (report: Report) => void): Promise<EmbedderProcess> {
    const isElectronMain = isMainThread && (process as { type?: string }).type === 'browser';
    return new EmbedderProcess(isElectronMain ? await utilityProcess(signal) : nodeChild(), onReport);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Why the process is no more; nothing while it runs. */
  get end(): EmbedError | undefined {
    return this.#end;
  }

  /** Resolves with the reason when the process is no more. */
  get ended(): Promise<EmbedError> {
    return this.#ended;
  }

  /** Hands an order over. One for a process that has just ended is lost: `ended` tells. */
  post(order: Order): void {
    this.#child.post(order);
  }

  hold(held: boolean): void {
    this.#child.hold(held);
  }

  /** Ends the process whatever it does. */
  kill(): void {
    this.#child.kill();
  }

  /** Asks the process to end, and sees to it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.hold(true);
    this.post({ type: 'exit' });
    const force = setTimeout(() => { this.kill(); }, STOP_MS); // prettier-ignore
    await this.#ended;
    clearTimeout(force);
  }

  #endOf(exitCode: number | null, signal: NodeJS.Signals | null): EmbedError {
    const stderr = this.#stderr.trim();
    const how = signal ?? `exit code ${String(exitCode)}`;
    const cause = Object.assign(new Error(`Ended with ${how}`), { exitCode, signal, stderr });
    const message = `The embedder's process ended (${how})${stderr && `:\n${stderr}`}`;
    return embedError('ERR_EMBED_INFERENCE', message, { cause });
  }
}

function nodeChild(): Child {
  const child = fork(PROGRAM, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [], // those of this process are for its own program
    env: process.env,
  });
  return {
    get pid() {
      return child.pid;
    },
    stderr: child.stderr,
    post: (order) => {
      if (child.connected) child.send(order, () => undefined); // whoever waits for an answer is told of the end
    },
    kill: () => {
      child.kill('SIGKILL');
    },
    hold: (held) => {
      const name = held ? 'ref' : 'unref';
      child[name]();
      child.channel?.[name]();
      (child.stderr as { ref?: () => void; unref?: () => void } | null)?.[name]?.();
    },
    listen: ({ message, exit, error }) => {
      child.on('message', message).once('exit', exit).on('error', error);
    },
  };
}

/** What is used of Electron, whose types an app without Electron does not have. */
interface Electron {
  readonly app: { whenReady(): Promise<void> };
  readonly utilityProcess: {
    fork(
      path: string,
      args: string[],
      options: object,
    ): {
      readonly pid: number | undefined;
      readonly stderr: Readable | null;
      postMessage(order: Order): void;
      on(event: 'message', listener: (report: Report) => void): void;
      once(event: 'exit', listener: (code: number) => void): void;
    };
  };
}

async function utilityProcess(signal: AbortSignal): Promise<Child> {
  let electron: Electron;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- it is there in Electron only; within a try bundlers leave it
    electron = require('electron') as Electron;
  } catch (cause) {
    throw embedError('ERR_EMBED_RUNTIME_NOT_FOUND', "Electron's utility processes are not available", { cause });
  }
  const { app } = electron;
  await untilAborted(signal, () => app.whenReady());
  const child = electron.utilityProcess.fork(PROGRAM, [], {
    stdio: ['ignore', 'ignore', 'pipe'],
    execArgv: [],
    env: process.env,
    serviceName: 'sentence-embedder',
  });
  return {
    get pid() {
      return child.pid;
    },
    stderr: child.stderr,
    post: (order) => {
      child.postMessage(order);
    },
    kill: () => {
      if (child.pid === undefined) return;
      try {
        process.kill(child.pid, 'SIGKILL'); // Electron's own `kill` sends SIGTERM, which a process can ignore
      } catch {
        // It has ended a moment ago.
      }
    },
    hold: () => undefined, // an app of Electron lives until it quits
    listen: ({ message, exit }) => {
      child.on('message', message);
      child.once('exit', (code) => { exit(code, null); }); // prettier-ignore
    },
  };
}

/** Waits for the last words, but not for ever: that of Electron has no end, and in Node a process of the process may hold it. */
async function untilEnd(stream: Readable | null): Promise<void> {
  if (!stream || stream.readableEnded) return;
  await atMost(OUTPUT_MS, new Promise((resolve) => stream.once('end', resolve)));
}
