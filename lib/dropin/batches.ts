/** Cuts texts into batches and lets a limited number of batches run at once, interactive ones first but not for ever. */

import { abortedError, describe, embedError, throwIfAborted } from '../errors.js';
import type { Priority } from '../types.js';
import { MAX_OVERTAKES, SHORT_TEXT } from './config.js';

/** A copy of the texts, which the caller may change afterwards, if they are texts. */
export function checkedTexts(texts: unknown): string[] {
  const refuse = (expected: string, path: string, value: unknown): never => {
    throw embedError('ERR_EMBED_INVALID_ARGUMENT', `Expected ${expected} for ${path} but received ${describe(value)}`);
  };
  if (!Array.isArray(texts)) return refuse('an array of strings', 'texts', texts);
  return Array.from(texts, (text: unknown, i) =>
    typeof text === 'string' ? text : refuse('a string', `texts[${String(i)}]`, text),
  );
}

/** The texts in batches of `size`, or of twice as many where all of those are short. */
export function inBatches(texts: readonly string[], size: number): string[][] {
  const batches: string[][] = [];
  for (let start = 0; start < texts.length;) {
    const double = texts.slice(start, start + 2 * size);
    const batch = double.every((text) => text.length <= SHORT_TEXT) ? double : double.slice(0, size);
    batches.push(batch);
    start += batch.length;
  }
  return batches;
}

/**
 * A limited number of places, given to whoever has waited longest, interactive work first: up to {@link MAX_OVERTAKES} times in
 * a row while bulk work waits.
 */
export class Places {
  readonly #waiting: Record<Priority, Set<() => void>> = { interactive: new Set(), bulk: new Set() };
  #free: number;
  /** Interactive work that went before bulk work since that last had a place. */
  #overtakes = 0;

  constructor(free: number) {
    this.#free = free;
  }

  /** Runs `work` in a place of its own. Rejects without running it when the signal is aborted before there is one. */
  async run<T>(priority: Priority, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(priority, signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(priority: Priority, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const waiting = this.#waiting[priority];
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(enter);
        reject(abortedError(signal));
      };
      waiting.add(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Hands the place to the next in line. */
  #leave(): void {
    const { interactive, bulk } = this.#waiting;
    for (const waiting of this.#overtakes < MAX_OVERTAKES ? [interactive, bulk] : [bulk, interactive]) {
      for (const enter of waiting) {
        this.#overtakes = waiting === interactive && bulk.size > 0 ? this.#overtakes + 1 : 0;
        waiting.delete(enter);
        enter();
        return;
      }
    }
    this.#free += 1;
  }
}

/** Waits, but no longer than until the signal is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    const stop = (): void => {
      clearTimeout(timer);
      reject(abortedError(signal));
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}

/** Waits for `work`, which must not reject, but no longer than `milliseconds`. */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
