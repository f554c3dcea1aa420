/** For the tests of host apps: what every embedder must do, and an embedder without a model. Loads no native code. */

export type {
  CallOptions,
  EmbedderEvent,
  EmbedderKind,
  ErrorEvent,
  FallbackEvent,
  IEmbedder,
  IEmbedderConfig,
  IEmbedderStats,
  RestartEvent,
  StageEvent,
  StartupStage,
  TestConfig,
  VectorSpace,
} from '../dropin/iembedder.js';
export { ManagedEmbedder } from '../dropin/managed.js';
export type { EmbedError, EmbedErrorCode, Precision, Priority } from '../types.js';
export { describeIEmbedder, type ContractOptions } from './contract.js';
export { hashVector } from './hash.js';
export { TestEmbedder } from './test-embedder.js';
