/** The errors that the TypeScript side raises itself. All others come from the native side. */

import type { EmbedError, EmbedErrorCode } from './types.js';

/** An `Error` with a stable code and, where there is one, its cause. */
export function embedError(code: EmbedErrorCode, message: string, options?: { cause: unknown }): EmbedError {
  return Object.assign(new Error(message, options), { code });
}

/** The error of a call whose signal was aborted. */
export function abortedError(signal: AbortSignal): EmbedError {
  return embedError('ERR_EMBED_ABORTED', 'The call was aborted by its signal', { cause: signal.reason });
}

/** Whether this is an error with that code. */
export function hasCode(error: unknown, code: EmbedErrorCode): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
