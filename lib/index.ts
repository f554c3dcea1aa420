/// <reference lib="esnext.disposable" preserve="true" />
/** The package's front door: everything that is public, and nothing else. */

export { Embedder } from './embedder.js';
export { embedBatch, embedOne } from './default.js';
export { CustomEmbedder } from './dropin/custom.js';
export { createProductionFactory, createTestFactory, EmbedderFactory, type FactoryConfig } from './dropin/factory.js';
export { FallbackEmbedder } from './dropin/fallback.js';
export type {
  CallOptions,
  CustomConfig,
  EmbedderEvent,
  EmbedderKind,
  EmbedFunction,
  ErrorEvent,
  FallbackEvent,
  IEmbedder,
  IEmbedderConfig,
  IEmbedderStats,
  InProcessConfig,
  OllamaConfig,
  RestartEvent,
  ServerOptions,
  SidecarConfig,
  StageEvent,
  StartupStage,
  TestConfig,
  VectorSpace,
} from './dropin/iembedder.js';
export { InProcessEmbedder } from './dropin/in-process.js';
export { IsolatedEmbedder } from './dropin/isolated.js';
export { ManagedEmbedder } from './dropin/managed.js';
export { OllamaEmbedder } from './dropin/ollama.js';
export { SidecarEmbedder } from './dropin/sidecar.js';
export {
  checkIndexStamp,
  readIndexStamp,
  writeIndexStamp,
  type IndexCheck,
  type IndexCheckOptions,
  type IndexStamp,
  type IndexVerdict,
  type LegacySpace,
  type Stampable,
} from './stamps.js';
export type {
  DetailedEmbeddings,
  DownloadProgressEvent,
  DownloadStartedEvent,
  EmbedderStats,
  EmbedError,
  EmbedErrorCode,
  EmbedOptions,
  Int8Vectors,
  LaneStats,
  LoadEvent,
  LoadingEvent,
  LoadOptions,
  ModelCachedEvent,
  ModelInfo,
  ModelLoadedEvent,
  Pooling,
  Precision,
  PreparingEvent,
  Priority,
  StreamedVector,
  StreamOptions,
  TruncateOptions,
  VectorMatch,
  WarningEvent,
} from './types.js';
export { binarize, cosineSimilarity, dot, quantizeInt8, topK, truncateDimensions } from './vectors.js';
