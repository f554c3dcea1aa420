// A hub in this process that serves one folder as a model, for tests of the Node face. Its faults are tested in Rust,
// with tests/hub.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, relative, sep } from 'node:path';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

export interface TestHub {
  readonly url: string;
  /** The paths of all requests so far. */
  readonly seen: string[];
  /** Whether the bytes of ONNX files never come to their end; a request for /unstall ends that. */
  stalls: boolean;
  close(): void;
}

/** Starts a hub with `folder` as the model `id`. */
export async function startHub(id: string, folder: string): Promise<TestHub> {
  const files = new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [relative(folder, path).split(sep).join('/'), readFileSync(path)];
      }),
  );
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path === '/unstall') hub.stalls = false;
    seen.push(path);
    if (path.startsWith(`/api/models/${id}/revision/`)) {
      const siblings = [...files].map(([name, bytes]) => ({
        rfilename: name,
        size: bytes.length,
        blobId: gitHash(bytes),
      }));
      response.end(JSON.stringify({ id, sha: COMMIT, siblings }));
      return;
    }
    const bytes = files.get(path.replace(`/${id}/resolve/${COMMIT}/`, ''));
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Length': bytes.length, ETag: `"${gitHash(bytes)}"` });
    if (hub.stalls && path.endsWith('.onnx')) response.write(bytes.subarray(0, bytes.length / 2));
    else response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hub: TestHub = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    seen,
    stalls: false,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return hub;
}

function gitHash(bytes: Buffer): string {
  return createHash('sha1')
    .update(`blob ${String(bytes.length)}\0`)
    .update(bytes)
    .digest('hex');
}
