/** JSON over HTTP for the kinds that speak to a server: connections are kept, limits are kept, errors are of this package. */

import { types } from 'node:util';
import { listen } from '../abort.js';
import { embedError, throwIfAborted } from '../errors.js';
import type { EmbedErrorCode } from '../types.js';
import { limit } from './limit.js';

/** Longest part of a server's own words that is shown. */
const SHOWN = 300;

export interface JsonRequest {
  readonly url: string;
  /** Sent as JSON with POST; without it the request is a GET. */
  readonly body?: unknown;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** The answer of a server, or the reason why there is none: `ERR_EMBED_...` */
export async function requestJson({ url, body, signal, timeoutMs }: JsonRequest): Promise<unknown> {
  throwIfAborted(signal);
  const end = new AbortController();
  const time = { isOver: false };
  const stopWaiting = limit(timeoutMs, () => {
    time.isOver = true;
    end.abort();
  });
  const stopListening = listen(signal, () => {
    end.abort();
  });
  try {
    // Node's fetch keeps connections open and uses them again.
    const response = await fetch(url, {
      signal: end.signal,
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text(); // to its end, so that the connection can be used again
    if (!response.ok) {
      const said = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
      throw embedError(codeOfStatus(response.status), `${url} answered ${String(response.status)}: ${said}`);
    }
    return parsed(text, url);
  } catch (error) {
    throwIfAborted(signal);
    if (time.isOver) {
      throw embedError('ERR_EMBED_TIMEOUT', `${url} did not answer within ${String(timeoutMs)} ms`, { cause: error });
    }
    // By its name: in jest and in `node:vm` the error of `fetch` is no instance of the caller's `TypeError`.
    if (types.isNativeError(error) && error.name === 'TypeError') throw unreachable(url, error);
    throw error;
  } finally {
    stopWaiting();
    stopListening();
  }
}

/** Request Timeout, Too Early and Too Many Requests: not what was asked is wrong but when, so that another try may be answered. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

function codeOfStatus(status: number): EmbedErrorCode {
  if (PASSING_STATUS.has(status)) return 'ERR_EMBED_INFERENCE';
  if (status === 404) return 'ERR_EMBED_MODEL_NOT_FOUND';
  if (status === 504) return 'ERR_EMBED_TIMEOUT';
  return status >= 400 && status < 500 ? 'ERR_EMBED_INVALID_ARGUMENT' : 'ERR_EMBED_INFERENCE';
}

function parsed(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw embedError('ERR_EMBED_INFERENCE', `${url} did not answer with JSON`, { cause });
  }
}

/** Codes of a certificate that is not accepted, and of a server that does not speak TLS: another try would meet the same. */
const NOT_SECURE = /CERT|_SIGNATURE$|^ERR_SSL_|^INVALID_(CA|PURPOSE)$/;

/** `fetch` says "fetch failed"; what happened is in its cause. */
function unreachable(url: string, error: Error): Error {
  const { code, message } = (error.cause ?? error) as { code?: string; message?: string };
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return embedError('ERR_EMBED_TIMEOUT', `${url} sent nothing for 300 s, the longest that Node waits`, {
      cause: error,
    });
  }
  // "bad port" is all that `fetch` says of the ports that it refuses.
  if (message === 'bad port' || (code !== undefined && NOT_SECURE.test(code))) {
    const reason = `${url} cannot be requested (${code ?? 'fetch'}): ${String(message)}`;
    return embedError('ERR_EMBED_INVALID_ARGUMENT', reason, { cause: error });
  }
  const noServer = code !== undefined && ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code);
  return noServer
    ? embedError('ERR_EMBED_RUNTIME_NOT_FOUND', `There is no server at ${url} (${code})`, { cause: error })
    : embedError('ERR_EMBED_INFERENCE', `The connection to ${url} broke: ${String(message)}`, { cause: error });
}

/** The vectors of an answer, if they are `count` vectors of one length of finite numbers. */
export function checkedVectors(
  value: unknown,
  expected: { count: number; dimension: number | undefined; from: string },
): Float32Array[] {
  const { count, dimension, from } = expected;
  const refuse = (what: string): never => {
    throw embedError('ERR_EMBED_INFERENCE', `Expected ${String(count)} vectors from ${from} but received ${what}`);
  };
  if (!Array.isArray(value)) return refuse('none');
  if (value.length !== count) return refuse(String(value.length));
  let length = dimension;
  return value.map((row: unknown, i) => {
    if (!isNumbers(row)) return refuse(`something else at index ${String(i)}`);
    length ??= row.length;
    if (row.length !== length || length === 0) {
      return refuse(`one of ${String(row.length)} numbers instead of ${String(length)} at index ${String(i)}`);
    }
    const vector = Float32Array.from(row);
    return vector.every(Number.isFinite)
      ? vector
      : refuse(`one with a number that is not finite at index ${String(i)}`);
  });
}

/** By what they are, not by their classes: a vector may come from another context, as in jest and in `node:vm`. */
function isNumbers(row: unknown): row is readonly number[] | Float32Array | Float64Array {
  if (types.isFloat32Array(row) || types.isFloat64Array(row)) return true;
  return Array.isArray(row) && row.every((value) => typeof value === 'number');
}

/** Scales to length 1; a vector of zeros stays as it is. */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}

/** The address of a path of a server. */
export function addressOf(server: string, path: string): string {
  return `${server.replace(/\/+$/, '')}${path}`;
}
