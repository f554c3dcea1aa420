/** Reads a file as text, or says why it is none. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { unreadable, type Skipped } from './walk.js';

/** Larger files are no texts that a person wrote, and a file's passages are in memory together. */
const LARGEST = 10_000_000;

/** The content of a file and its hash. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
  /** SHA-256 of its bytes, in hexadecimal digits. */
  readonly hash: string;
  readonly bytes: number;
}

/** The file at `path`, if it is a text. */
export async function readText(path: string): Promise<TextFile | Skipped> {
  const skipped = (reason: string, unknown = false): Skipped => ({ path, reason, unknown });
  let content: Buffer;
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > LARGEST) return skipped(`larger than ${String(LARGEST / 1e6)} MB`);
      content = await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    return skipped(unreadable(error, path), true);
  }
  if (content.includes(0)) return skipped('binary');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return skipped('not UTF-8');
  }
  if (text.trim() === '') return skipped('empty');
  return { path, text, hash: createHash('sha256').update(content).digest('hex'), bytes: content.length };
}
