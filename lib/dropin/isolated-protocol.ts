/** What an isolated embedder and its process say to each other. Every value can be copied as the structured clone does. */

import { types } from 'node:util';
import { embedError } from '../errors.js';
import type { EmbedError, Priority } from '../types.js';
import type { StartContext } from './engine.js';
import type { InProcessConfig, VectorSpace } from './iembedder.js';

/** To the process. Without `onEvent`, which stays where it is. */
export type Order =
  | { readonly type: 'load'; readonly config: Omit<InProcessConfig, 'onEvent'> }
  | EmbedOrder
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'exit' };

export interface EmbedOrder {
  readonly type: 'embed';
  readonly id: number;
  readonly texts: readonly string[];
  readonly timeoutMs: number;
  readonly priority: Priority;
}

/** From the process. */
export type Report =
  | { readonly type: 'stage'; readonly stage: Parameters<StartContext['tell']> }
  | { readonly type: 'loaded'; readonly space: VectorSpace }
  | { readonly type: 'failed'; readonly error: PackedError }
  | { readonly type: 'vectors'; readonly id: number; readonly data: Float32Array }
  | { readonly type: 'rejected'; readonly id: number; readonly error: PackedError };

/** An error, of which a copy would lose the code. */
export interface PackedError {
  readonly code: EmbedError['code'];
  readonly message: string;
  readonly causes: readonly string[];
}

/** A chain longer than this is a circle. */
const MOST_CAUSES = 16;

export function packed(error: EmbedError): PackedError {
  const causes: string[] = [];
  for (let { cause } = error; types.isNativeError(cause) && causes.length < MOST_CAUSES; { cause } = cause) {
    causes.push(cause.message);
  }
  return { code: error.code, message: error.message, causes };
}

export function unpacked({ code, message, causes }: PackedError): EmbedError {
  const cause = causes.reduceRight<Error | undefined>(
    (inner, text) => new Error(text, inner && { cause: inner }),
    undefined,
  );
  return embedError(code, message, cause && { cause });
}
