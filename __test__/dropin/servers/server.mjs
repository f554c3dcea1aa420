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
  /** @type {{ fail?: { status: number, times: number }, drop?: number, health?: number, delayMs?: number, answer?: unknown }} */
  let control = {};
  let underWay = 0;

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @returns {Promise<{ status?: number, answer: unknown } | undefined>} nothing where the connection is to break
   */
  const answerTo = async (request, response) => {
    const { method = '', url = '' } = request;
    const parts = [];
    for await (const part of request) parts.push(/** @type {Buffer} */ (part));
    const text = Buffer.concat(parts).toString();
    const body = text ? JSON.parse(text) : undefined;
    if (url === '/control') {
      if (method === 'GET') return { answer: seen };
      if (body.exit) process.exit(3);
      control = body;
      return { answer: {} };
    }
    seen.requests.push(`${method} ${url}`);
    if (control.health && url === '/health') return { status: control.health, answer: { detail: 'busy' } };
    if (url === embedPath) {
      seen.batches.push(body);
      underWay += 1;
      seen.most = Math.max(seen.most, underWay);
      await new Promise((resolve) => setTimeout(resolve, control.delayMs ?? 0));
      underWay -= 1;
      if (control.drop) {
        control.drop -= 1;
        response.destroy();
        return undefined;
      }
      if (control.fail && control.fail.times > 0) {
        control.fail.times -= 1;
        return { status: control.fail.status, answer: { detail: 'as the test wanted it' } };
      }
      if (control.answer !== undefined) return { answer: control.answer };
    }
    return routes[`${method} ${url}`]?.(body) ?? { status: 404, answer: { detail: 'Not Found' } };
  };

  const server = createServer((request, response) => {
    void answerTo(request, response).then((reply) => {
      if (!reply) return;
      response.writeHead(reply.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(reply.answer));
    });
  });
  server.on('connection', () => {
    seen.connections += 1;
  });
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    console.log('LISTENING', typeof address === 'object' && address ? address.port : '');
    onListening?.();
  });
}
