/** A start that its callers share, that any of them can cancel, and that a shutdown ends. */

import { listen } from '../abort.js';

export class SharedStart {
  readonly #start: (signal: AbortSignal) => Promise<boolean>;
  #current: { end: AbortController; done: Promise<boolean> } | undefined;

  constructor(start: (signal: AbortSignal) => Promise<boolean>) {
    this.#start = start;
  }

  /** Joins the start that is under way. Without one, or after one that was cancelled, begins another. */
  async join(signal?: AbortSignal): Promise<boolean> {
    const current = this.#current && !this.#current.end.signal.aborted ? this.#current : this.#begin();
    const { end, done } = current;
    const cancel = (): void => {
      end.abort(signal?.reason);
    };
    const stopListening = signal && listen(signal, cancel);
    if (signal?.aborted) cancel();
    try {
      return await done;
    } finally {
      stopListening?.();
    }
  }

  /** Cancels the start that is under way, and waits for its end. */
  async cancel(reason: unknown): Promise<void> {
    this.#current?.end.abort(reason);
    await this.#current?.done;
  }

  #begin(): { end: AbortController; done: Promise<boolean> } {
    const end = new AbortController();
    const former = this.#current?.done;
    const run = async (): Promise<boolean> => {
      await former;
      return this.#start(end.signal);
    };
    const current = {
      end,
      done: run().finally(() => {
        if (this.#current === current) this.#current = undefined;
      }),
    };
    this.#current = current;
    return current;
  }
}
