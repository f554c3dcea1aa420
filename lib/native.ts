/** What the native addon looks like from TypeScript. `src/node` in Rust implements it. */

import { loadAddon } from './loader.js';
import type { EmbedderStats, LoadEvent, ModelInfo, Priority, VectorMatch } from './types.js';

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

/** What `pull` brought. */
export interface PulledModel {
  readonly model: string;
  readonly revision: string;
  /** The folder with the files. */
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Whether nothing had to be fetched. */
  readonly fromCache: boolean;
}

/** One model in the cache. */
export interface CachedModel {
  readonly model: string;
  readonly path: string;
  readonly bytes: number;
  /** The commits that are there. */
  readonly revisions: readonly string[];
  /** Whether a download was cut and can be resumed. */
  readonly partial: boolean;
}

/** Facts of this machine, without a token or a password. */
export interface SystemReport {
  readonly version: string;
  readonly platform: string;
  /** Instructions of the processor that matter for speed. */
  readonly features: readonly string[];
  readonly cores: number;
  /** Threads that are used by default. */
  readonly threads: number;
  readonly defaultModel: string;
  readonly runtime: {
    readonly wanted: string;
    readonly library: string | null;
    readonly loaded: boolean;
    readonly problem: string | null;
    readonly telemetryOff: boolean;
  };
  readonly store:
    | { readonly problem: string }
    | {
        readonly problem?: never;
        readonly cache: string;
        readonly exists: boolean;
        readonly writable: boolean;
        readonly freeBytes: number | null;
        readonly endpoint: string;
        readonly token: boolean;
        readonly offline: boolean;
      };
  readonly proxies: Readonly<Record<string, string>>;
}

/** A copy of a model in another precision. */
export interface PreparedModel {
  readonly model: string;
  readonly precision: string;
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
}

/** Held until it is released, or the process ends in whatever way. */
export interface FileLock {
  release(): void;
}

/** What the addon exports. */
export interface NativeAddon {
  readonly NativeEmbedder: {
    load(options: unknown, onEvent?: (event: LoadEvent) => void): NativeJob<NativeEmbedder>;
  };
  /** Throws what a call with these arguments would be refused with. */
  checkCall(texts: unknown, options: unknown, defaults: CallDefaults): void;
  /** Ends all work of this JavaScript thread and waits for it. */
  endEnvironment(): void;
  pullModel(options: unknown, onEvent?: (event: LoadEvent) => void): NativeJob<PulledModel>;
  prepareModel(options: unknown, onEvent?: (event: LoadEvent) => void): NativeJob<PreparedModel>;
  cachedModels(cacheDir?: string): CachedModel[];
  removeModel(model: string, cacheDir?: string): number;
  systemReport(cacheDir?: string): SystemReport;
  /** The lock on a file, which is made if it is not there; nothing if another has it. */
  lockFile(path: string): FileLock | null;
  dot(a: unknown, b: unknown): number;
  cosineSimilarity(a: unknown, b: unknown): number;
  topK(query: unknown, vectors: unknown, k: unknown): VectorMatch[];
  quantizeInt8(vectors: unknown): { readonly data: Int8Array; readonly scales: Float32Array };
  binarize(vectors: unknown): Uint8Array;
  truncateDimensions(vectors: unknown, dimensions: unknown, options: unknown): Float32Array;
}

let addon: NativeAddon | undefined;

/** The addon, loaded on first use, so that importing the package never fails. A failed load is tried again. */
export function nativeAddon(): NativeAddon {
  addon ??= endedAtExit(loadAddon() as NativeAddon);
  return addon;
}

/** Set on the process once this file listens for its end, however often the file is loaded: `jest.resetModules()` loads it again. */
const LISTENS = Symbol.for(`${__filename} listens for the exit`);

/** `process.exit()` on the main thread runs none of the addon's own hooks and would pull the library from under its threads. */
function endedAtExit(loaded: NativeAddon): NativeAddon {
  const host = process as NodeJS.Process & { [LISTENS]?: boolean };
  if (!host[LISTENS]) {
    host[LISTENS] = true;
    process.on('exit', () => {
      loaded.endEnvironment();
    });
  }
  return loaded;
}
