/** What each kind of embedder brings: a session that makes vectors. Everything else they share, see managed.ts. */

import type { Priority } from '../types.js';
import type { IEmbedderStats, StageEvent, VectorSpace } from './iembedder.js';

/** A started session. */
export interface Engine {
  readonly space: VectorSpace;
  /** One vector a text. Rejects with errors of this package. */
  embed(texts: readonly string[], options: EngineCall): Promise<Float32Array[]>;
  /** Whether the session works: asked after an error that may be the session's or the texts'. */
  isHealthy(): Promise<boolean>;
  /** Frees it; what is under way rejects. Never rejects itself. */
  close(): Promise<void>;
}

/** What a batch comes with. */
export interface EngineCall {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly priority: Priority;
}

/** What a start comes with. */
export interface StartContext {
  readonly signal: AbortSignal;
  readonly tell: (
    stage: Exclude<StageEvent['stage'], 'checking' | 'ready'>,
    message: string,
    progress?: number,
  ) => void;
}

/** How a kind differs from the others. */
export interface EngineTraits {
  /** Batches that are under way at once. */
  readonly concurrency: number;
  /** Whether interactive calls do not wait for a free place, because the session has lanes of its own. */
  readonly ownLanes: boolean;
  /** Whether plain `embed` tries again as `embedWithRetry` does, because the way to the session can fail. */
  readonly retriesEmbed: boolean;
  /** Whether two sessions cannot be there at once, so that the old one has to end before a new one starts. */
  readonly exclusive: boolean;
  /** Memory of the process that holds the model, where that is this one. */
  readonly memory: (() => NonNullable<IEmbedderStats['memoryUsage']>) | undefined;
}
