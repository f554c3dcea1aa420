// Servers in processes of their own, and what was asked of them.

import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { EmbedderEvent } from 'sentence-embedder';

export const serverScript = (name: 'sidecar' | 'ollama'): string => join(__dirname, 'servers', `${name}.mjs`);

export interface Seen {
  requests: string[];
  batches: Record<string, unknown>[];
  connections: number;
  most: number;
}

export interface Server {
  url: string;
  seen: () => Promise<Seen>;
  control: (wanted: object) => Promise<void>;
  stop: () => Promise<void>;
}

/** Starts a server in a process of its own; it ends with the tests of the file. */
export async function startServer(name: 'sidecar' | 'ollama', args: string[] = []): Promise<Server> {
  const child = spawn(process.execPath, [serverScript(name), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', resolve));
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
  };
  const port = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const [, found] = /^LISTENING (\d+)$/.exec(line) ?? [];
      if (found) resolve(found);
    });
    void ended.then(() => {
      reject(new Error(`${name} ended before it listened`));
    });
  });
  return serverAt(`http://127.0.0.1:${port}`, stop);
}

/** A server that somebody else has started. */
export function serverAt(url: string, stop: () => Promise<void> = () => Promise.resolve()): Server {
  return {
    url,
    stop,
    seen: async () => (await (await fetch(`${url}/control`)).json()) as Seen,
    control: async (wanted) => {
      await fetch(`${url}/control`, { method: 'POST', body: JSON.stringify(wanted) }).catch(() => undefined);
    },
  };
}

/** A port where nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Keeps what an embedder tells. */
export function recorder(): {
  events: EmbedderEvent[];
  onEvent: (event: EmbedderEvent) => void;
  words: () => string[];
} {
  const events: EmbedderEvent[] = [];
  return {
    events,
    onEvent: (event) => events.push(event),
    words: () => events.map((event) => (event.type === 'stage' ? event.stage : event.type)),
  };
}
