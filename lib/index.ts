/// <reference lib="esnext.disposable" preserve="true" />
/** The package's front door: everything that is public, and nothing else. */

export { Embedder } from './embedder.js';
export { embedBatch, embedOne } from './default.js';
export type {
  DetailedEmbeddings,
  DownloadProgressEvent,
  DownloadStartedEvent,
  EmbedderStats,
  EmbedError,
  EmbedErrorCode,
  EmbedOptions,
  LaneStats,
  LoadEvent,
  LoadOptions,
  ModelCachedEvent,
  ModelInfo,
  ModelLoadedEvent,
  Pooling,
  Precision,
  PreparingEvent,
  Priority,
} from './types.js';
