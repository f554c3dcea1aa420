/** Connects an `AbortSignal` to work that cannot see one: native jobs, and loads that several calls share. */

import { abortedError, hasCode } from './errors.js';
import type { NativeJob } from './native.js';

/** Starts a native job and cancels it when the options' signal is aborted. Nothing is started if it already is. */
export async function settle<T>(options: unknown, start: () => NativeJob<T>): Promise<T> {
  const signal = signalOf(options);
  if (signal?.aborted) throw abortedError(signal);
  const job = start();
  if (!signal) return job.promise;

  const cancel = (): void => {
    job.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await job.promise;
  } catch (error) {
    throw hasCode(error, 'ERR_EMBED_ABORTED') ? abortedError(signal) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Waits for shared work, but no longer than until the options' signal is aborted. The work itself goes on. */
export async function waitFor<T>(work: Promise<T>, options: unknown): Promise<T> {
  const signal = signalOf(options);
  if (!signal) return work;
  return settle(options, () => {
    let cancel = (): void => undefined;
    const cancelled = new Promise<never>((_, reject) => {
      cancel = () => {
        reject(abortedError(signal));
      };
    });
    return { promise: Promise.race([work, cancelled]), cancel };
  });
}

/** The signal among the options, if it can be used as one: the native side refuses the call if it cannot. */
function signalOf(options: unknown): AbortSignal | undefined {
  if (typeof options !== 'object' || options === null || !('signal' in options)) return undefined;
  const { signal } = options;
  const usable =
    typeof signal === 'object' &&
    signal !== null &&
    'addEventListener' in signal &&
    typeof signal.addEventListener === 'function' &&
    'removeEventListener' in signal &&
    typeof signal.removeEventListener === 'function';
  return usable ? (signal as AbortSignal) : undefined;
}
