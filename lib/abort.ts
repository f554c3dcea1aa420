/** Waits for native work, and connects it to an `AbortSignal`, which the native side cannot listen to. */

import { abortedError, codeOf, fromNative } from './errors.js';
import type { NativeJob } from './native.js';

/** Waits for native work; its errors become errors of this side. */
export async function answer<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw fromNative(error);
  }
}

/** Starts a native job and cancels it when the options' signal is aborted. Nothing is started if it already is. */
export async function settle<T>(options: unknown, start: () => NativeJob<T>): Promise<T> {
  const signal = signalOf(options);
  if (!signal) return answer(() => start().promise);
  if (isAborted(signal)) throw abortedError(signal);

  // Listens before it starts: a signal that throws then leaves no job behind, whose error nobody would handle.
  let cancel: (() => void) | undefined;
  const stopListening = listen(signal, () => cancel?.());
  try {
    const job = start();
    cancel = () => {
      job.cancel();
    };
    // Reading the arguments runs code of the caller's, where they have getters: it may have aborted the signal.
    if (isAborted(signal)) cancel();
    return await job.promise;
  } catch (error) {
    throw codeOf(error) === 'ERR_EMBED_ABORTED' ? abortedError(signal) : fromNative(error);
  } finally {
    stopListening();
  }
}

/** In a function, as the compiler takes a property for what it was when it was last looked at. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Waits for work that calls share, but no longer than until the options' signal is aborted. The work itself goes on. */
export async function waitFor<T>(start: () => Promise<T>, options: unknown): Promise<T> {
  const signal = signalOf(options);
  if (!signal) return start();
  return settle(options, () => {
    const work = start();
    let cancel = (): void => undefined;
    const cancelled = new Promise<never>((_, reject) => {
      cancel = () => {
        reject(abortedError(signal));
      };
    });
    return { promise: Promise.race([work, cancelled]), cancel };
  });
}

/** The calls that wait for each signal, and the one listener that they share. */
const listeners = new WeakMap<AbortSignal, { cancels: Set<() => void>; onAbort: () => void }>();

/**
 * Calls `cancel` when the signal is aborted, until the function that is returned is called. All calls with one signal
 * share one listener, because Node warns of a leak when there are more than ten.
 */
export function listen(signal: AbortSignal, cancel: () => void): () => void {
  const { cancels, onAbort } = listeners.get(signal) ?? startListening(signal);
  cancels.add(cancel);
  return () => {
    cancels.delete(cancel);
    if (cancels.size > 0) return;
    signal.removeEventListener('abort', onAbort);
    listeners.delete(signal);
  };
}

function startListening(signal: AbortSignal): { cancels: Set<() => void>; onAbort: () => void } {
  const cancels = new Set<() => void>();
  const onAbort = (): void => {
    for (const cancel of cancels) cancel();
  };
  signal.addEventListener('abort', onAbort);
  const listener = { cancels, onAbort };
  listeners.set(signal, listener);
  return listener;
}

/** The signal among the options, if it can be used as one: the native side refuses the call if it cannot. */
export function signalOf(options: unknown): AbortSignal | undefined {
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
