/** Signals that follow others, and waiting that a signal ends. */

import { setMaxListeners } from 'node:events';
import { listen } from '../abort.js';
import { abortedError } from '../errors.js';

/** A controller that is aborted with any of the sources, until `unlink`. Node has `AbortSignal.any` only from 20.3 on. */
export function linked(...sources: AbortSignal[]): { end: AbortController; unlink: () => void } {
  const end = new AbortController();
  setMaxListeners(0, end.signal);
  const stops = sources.map((source) => {
    const follow = (): void => {
      end.abort(source.reason);
    };
    if (source.aborted) follow();
    return listen(source, follow);
  });
  return {
    end,
    unlink: () => {
      for (const stop of stops) stop();
    },
  };
}

/** Waits for work that others wait for too, but no longer than until the signal is aborted. The work itself goes on. */
export async function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw abortedError(signal);
  let stopListening: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stopListening = listen(signal, () => {
      reject(abortedError(signal));
    });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    stopListening?.();
  }
}
