/** Files of batches that failed once, as the host app writes them. */

import { readFileSync } from 'node:fs';

/** What such a file says. Only `texts` is needed to try again. */
export interface FailedBatch {
  readonly timestamp?: string;
  readonly error?: string;
  readonly chunkCount?: number;
  readonly totalChars?: number;
  readonly estimatedTokens?: number;
  readonly textLengths?: readonly number[];
  readonly texts: readonly string[];
}

/** Reads a file; throws an error that says what is wrong with it. */
export function readFailedBatch(path: string): FailedBatch {
  const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof content !== 'object' || content === null || !('texts' in content)) {
    throw new Error('Expected a JSON object with an array "texts"');
  }
  const { texts } = content;
  if (!Array.isArray(texts) || texts.length === 0 || !texts.every((text) => typeof text === 'string')) {
    throw new Error('Expected a non-empty array of strings for texts');
  }
  const batch = content as FailedBatch;
  // A file that was cut or edited is not the batch that failed.
  expectSame('chunkCount', batch.chunkCount, batch.texts.length);
  expectSame(
    'totalChars',
    batch.totalChars,
    batch.texts.reduce((sum, text) => sum + text.length, 0),
  );
  batch.textLengths?.forEach((length, index) => {
    expectSame(`textLengths[${String(index)}]`, length, batch.texts[index]?.length);
  });
  return batch;
}

function expectSame(name: string, said: number | undefined, is: number | undefined): void {
  if (said !== undefined && said !== is) {
    throw new Error(
      `Expected ${name} ${String(said)}, as the file says, but its texts have ${String(is)}: the file is damaged`,
    );
  }
}
