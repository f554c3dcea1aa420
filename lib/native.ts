/** What the native addon looks like from TypeScript. `src/node` in Rust implements it. */

import { loadAddon } from './loader.js';
import type { EmbedderStats, LoadEvent, ModelInfo, Priority } from './types.js';

/** Work on the native threads. `cancel` makes `promise` reject with `ERR_EMBED_ABORTED`, unless it has settled. */
export interface NativeJob<T> {
  readonly promise: Promise<T>;
  cancel(): void;
}

/** The answer of an embedding call: the vectors one after another, and what is known of each text. */
export interface NativeEmbeddings {
  readonly data: Float32Array;
  readonly dimension: number;
  readonly tokenCounts: Uint32Array;
  readonly truncated: boolean[];
}

/** What a call is unless its options say otherwise. */
export interface CallDefaults {
  readonly priority: Priority;
  /** Whether the caller gave one text, so that messages speak of `text` and not of `texts[0]`. */
  readonly single: boolean;
}

/** A loaded model. All arguments are checked on the native side, hence `unknown`. */
export interface NativeEmbedder {
  embed(texts: unknown, options: unknown, defaults: CallDefaults): NativeJob<NativeEmbeddings>;
  countTokens(texts: unknown): Promise<Uint32Array>;
  info(): ModelInfo;
  stats(): EmbedderStats;
  close(): Promise<void>;
}

/** What the addon exports. */
export interface NativeAddon {
  readonly NativeEmbedder: {
    load(options: unknown, onEvent?: (event: LoadEvent) => void): NativeJob<NativeEmbedder>;
  };
  /** Ends all work of this JavaScript thread and waits for it. */
  endEnvironment(): void;
}

let addon: NativeAddon | undefined;

/** The addon, loaded on first use, so that importing the package never fails. A failed load is tried again. */
export function nativeAddon(): NativeAddon {
  addon ??= endedAtExit(loadAddon() as NativeAddon);
  return addon;
}

/** `process.exit()` on the main thread runs none of the addon's own hooks and would pull the library from under its threads. */
function endedAtExit(loaded: NativeAddon): NativeAddon {
  process.on('exit', () => {
    loaded.endEnvironment();
  });
  return loaded;
}
