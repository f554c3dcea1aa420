/** What each kind of embedder brings: a session that makes vectors. Everything else they share, see managed.ts. */

import type { Priority } from '../types.js';
import type { EmbedderKind, IEmbedderStats, StageEvent, VectorSpace } from './iembedder.js';

/** A started session. */
export interface Engine {
  readonly space: VectorSpace;
  /** One vector a text. Rejects with errors of this package. */
  embed(texts: readonly string[], options: EngineCall): Promise<Float32Array[]>;
  /** Whether the session works: asked after an error that may be the session's or the texts'. */
  isHealthy(signal: AbortSignal): Promise<boolean>;
  /** Frees it. The signals of the calls under way have been aborted; what is under way all the same rejects. Never rejects itself. */
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
  /** Passed on unless the stage lies behind the start. */
  readonly tell: (stage: Exclude<StageEvent['stage'], 'ready'>, message: string, progress?: number) => void;
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
  /**
   * Whether texts may be what breaks a session: a batch then gets one more session, by itself, and is given up if it breaks that
   * too.
   */
  readonly suspectsTexts: boolean;
  /** Whether a session that does not work may work again without being replaced, as that of a server that is down for a while. */
  readonly recovers: boolean;
  /** Memory of the process that holds the model, where that is this one. */
  readonly memory: (() => NonNullable<IEmbedderStats['memoryUsage']>) | undefined;
}

/** A kind without lanes or memory of its own, as those are that hand texts to somebody else. */
export const PLAIN: EngineTraits = {
  concurrency: 1,
  ownLanes: false,
  retriesEmbed: false,
  exclusive: false,
  suspectsTexts: false,
  recovers: true,
  memory: undefined,
};

/** A text that a model is tried with. It is not empty, because OpenAI's servers and some models of Ollama refuse that. */
export const PROBE = 'probe';

/** The space of vectors of which nothing is known but their length and the name of what makes them. */
export function bareSpace(
  kind: EmbedderKind,
  model: string,
  known: Pick<VectorSpace, 'dimension' | 'normalize' | 'fingerprint'>,
): VectorSpace {
  return { kind, model, revision: null, maxTokens: null, pooling: null, precision: null, ...known };
}

/** Memory of this process, in bytes. */
export function ownMemory(): NonNullable<IEmbedderStats['memoryUsage']> {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}
