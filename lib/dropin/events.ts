/** What an embedder tells its host, and the error that it keeps. */

import type { EmbedError } from '../types.js';
import type { EmbedderEvent, EmbedderKind, IEmbedderConfig, StageEvent } from './iembedder.js';

/** Tells of one embedder. */
export class Reporter {
  /** What went wrong last at a start or with a session; nothing after a start that worked. */
  lastError: EmbedError | undefined;
  readonly #kind: EmbedderKind;
  readonly #onEvent: IEmbedderConfig['onEvent'];

  constructor(kind: EmbedderKind, onEvent: IEmbedderConfig['onEvent']) {
    this.#kind = kind;
    this.#onEvent = onEvent;
  }

  /** Keeps an error and tells of it. */
  fail(error: EmbedError): void {
    this.lastError = error;
    const { message, code } = error;
    this.#emit({ type: 'stage', stage: 'error', kind: this.#kind, message, code, error });
  }

  stage(stage: StageEvent['stage'], message: string, progress?: number): void {
    const known = progress === undefined ? {} : { progress };
    this.#emit({ type: 'stage', stage, kind: this.#kind, message, ...known });
  }

  restart(reason: 'requested' | 'failure', attempt: number, error?: EmbedError): void {
    this.#emit({ type: 'restart', kind: this.#kind, reason, attempt, ...(error && { error }) });
  }

  #emit(event: EmbedderEvent): void {
    emit(this.#onEvent, event);
  }
}

/** Tells the host. What its callback throws is the host's own uncaught exception. */
export function emit(onEvent: IEmbedderConfig['onEvent'], event: EmbedderEvent): void {
  try {
    onEvent?.(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
