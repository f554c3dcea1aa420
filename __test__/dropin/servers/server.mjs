// What the two servers of these tests share: JSON over HTTP, deterministic vectors, and a way to make things go wrong.
// POST /control {"fail": {"status": 500, "times": 2}} and the like; GET /control says what was asked of the server.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

/** Numbers in a vector. */
export const DIMENSION = 24;

/** A vector of length 1, or twice that where `normalize` is false. @param {string} text @param {boolean} normalize */
export function vectorOf(text, normalize = true) {
  const numbers = Array.from(createHash('sha256').update(text).digest().subarray(0, DIMENSION), (byte) => byte - 127.5);
  const length = Math.hypot(...numbers) / (normalize ? 1 : 2);
  return numbers.map((number) => number / length);
}

/**
 * Serves routes such as `'POST /embed'`; each gets the body and gives status and answer.
 * @param {Record<string, (body: any) => { status?: number, answer: unknown }>} routes
 * @param {{ embedPath: string, port: number, onListening?: () => void }} options
 */
export function serve(routes, { embedPath, port, onListening }) {
  const seen = { requests: /** @type {string[]} */ ([]), batches: /** @type {any[]} */ ([]), connections: 0, most: 0 };
  /** @type {{ fail?: { status: number, times: number }, drop?: number, delayMs?: number, answer?: unknown }} */
  let control = {};
  let underWay = 0;

  const server = createServer(async (request, response) => {
    /** @param {number} status @param {unknown} answer */
    const reply = (status, answer) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    };
    let text = '';
    for await (const part of request) text += part;
    const body = text ? JSON.parse(text) : undefined;
    if (request.url === '/control') {
      if (request.method === 'GET') return reply(200, seen);
      if (body.exit) process.exit(3);
      control = body;
      return reply(200, {});
    }
    const route = `${request.method} ${request.url}`;
    seen.requests.push(route);
    if (request.url === embedPath) {
      seen.batches.push(body);
      underWay += 1;
      seen.most = Math.max(seen.most, underWay);
      await new Promise((resolve) => setTimeout(resolve, control.delayMs ?? 0));
      underWay -= 1;
      if (control.drop) {
        control.drop -= 1;
        return request.socket.destroy();
      }
      if (control.fail && control.fail.times > 0) {
        control.fail.times -= 1;
        return reply(control.fail.status, { detail: 'as the test wanted it' });
      }
      if (control.answer !== undefined) return reply(200, control.answer);
    }
    const { status = 200, answer } = routes[route]?.(body) ?? { status: 404, answer: { detail: 'Not Found' } };
    return reply(status, answer);
  });
  server.on('connection', () => {
    seen.connections += 1;
  });
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    console.log(`LISTENING ${typeof address === 'object' && address ? address.port : ''}`);
    onListening?.();
  });
}
