/** Makes the errors that callers see, those of the native side included. */

import { types } from 'node:util';
import type { EmbedError, EmbedErrorCode } from './types.js';

/** An `Error` with a stable code and, where there is one, its cause. */
export function embedError(code: EmbedErrorCode, message: string, options?: { cause: unknown }): EmbedError {
  return Object.assign(new Error(message, options), { code });
}

/** A value in a few words, as the native side's messages say it. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'string') {
    const shown = value.replace(/^(\s*\w+:[\\/]*).*@/s, '$1…@'); // messages end up in logs, where no password belongs
    return `string ${JSON.stringify(shown.length > 40 ? `${shown.slice(0, 40)}…` : shown)}`;
  }
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? `${typeof value} ${String(value)}`
    : typeof value;
}

/** The error of a call whose signal was aborted. */
export function abortedError(signal: AbortSignal): EmbedError {
  return embedError('ERR_EMBED_ABORTED', 'The call was aborted by its signal', { cause: signal.reason });
}

/** Throws the error of what a signal has ended. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw endedBy(signal);
}

/** The error of what a signal has ended: the signal's reason if that is an error of this package. */
export function endedBy(signal: AbortSignal): EmbedError {
  const { reason } = signal as { reason: unknown };
  return codeOf(reason) ? (reason as EmbedError) : abortedError(signal);
}

/** An error of this package as it is; any other as the cause of one. */
export function asEmbedError(error: unknown): EmbedError {
  if (codeOf(error)) return error as EmbedError;
  const message = types.isNativeError(error) ? error.message : String(error);
  return embedError('ERR_EMBED_INFERENCE', message, { cause: error });
}

/**
 * An error of the native side as one of this side: with a stack that leads to the caller, and an instance of the same
 * `Error` as the caller's, which in jest and in `node:vm` the native one is not. Anything else is left as it is.
 */
export function fromNative(error: unknown): unknown {
  const code = codeOf(error);
  return types.isNativeError(error) && code ? embedError(code, error.message, causeOf(error)) : error;
}

/** The code of an error of this package. */
export function codeOf(error: unknown): EmbedErrorCode | undefined {
  if (!types.isNativeError(error) || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' && code.startsWith('ERR_EMBED_') ? (code as EmbedErrorCode) : undefined;
}

/** The cause of a native error, as an option of a new one. */
function causeOf({ cause }: Error): { cause: unknown } | undefined {
  if (!types.isNativeError(cause)) return undefined;
  return { cause: new Error(cause.message, causeOf(cause)) };
}
