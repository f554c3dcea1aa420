/** Finds the files below a folder that can be texts, and says of the others why they are left out. */

import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { throwIfAborted } from '../errors.js';

/** Extensions of what people write as text. */
export const EXTENSIONS: readonly string[] = ['.md', '.markdown', '.txt', '.text', '.rst', '.adoc', '.org'];

/** What was left out, and why. */
export interface Skipped {
  readonly path: string;
  readonly reason: string;
  /** Whether nothing is known of what is there now, so that what was indexed of it stays. */
  readonly unknown: boolean;
}

/** What {@link walk} found. */
export interface Found {
  /** Absolute paths, in an order that does not depend on the system. */
  readonly files: string[];
  readonly skipped: Skipped[];
  /** How many files are of other kinds, by extension. */
  readonly others: Map<string, number>;
}

/**
 * Looks through a folder. Symbolic links are not followed, so that nothing is met twice; what is hidden, `node_modules` and
 * `except` are not looked into.
 */
export async function walk(folder: string, except: string, signal: AbortSignal): Promise<Found> {
  const found: Found = { files: [], skipped: [], others: new Map() };
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    throwIfAborted(signal);
    const entries = await entriesOf(at, found);
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (isPassedOver(entry.name) || path === except) continue;
      if (entry.isSymbolicLink()) found.skipped.push({ path, reason: 'a symbolic link', unknown: false });
      else if (entry.isDirectory()) folders.push(path);
      else if (!EXTENSIONS.includes(extname(entry.name).toLowerCase())) {
        const kind = extname(entry.name).toLowerCase() || 'no extension';
        found.others.set(kind, (found.others.get(kind) ?? 0) + 1);
      } else if (entry.isFile()) found.files.push(path);
      else found.skipped.push({ path, reason: 'not a regular file', unknown: false });
    }
  }
  // Names that are not UTF-8 may be the same once they are read as text.
  return { ...found, files: [...new Set(found.files)].sort() };
}

/** Whether a file or folder of this name is not looked at, so that nothing is known of it. */
export function isPassedOver(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

async function entriesOf(folder: string, found: Found): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    found.skipped.push({ path: folder, reason: unreadable(error, folder), unknown: true });
    return [];
  }
}

/** Why the system gave nothing at a path. */
export function unreadable(error: unknown, path: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path.includes('\uFFFD')) return 'its name is not UTF-8';
  return `cannot be read (${String(code)})`;
}
