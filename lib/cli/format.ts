/** Numbers, tables, texts and paths for people. */

import { homedir } from 'node:os';
import { sep } from 'node:path';

/** `1.11 GB`, `9.1 MB`, `321 bytes`. */
export function bytes(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} GB`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  if (count >= 1e3) return `${(count / 1e3).toFixed(0)} kB`;
  return `${String(count)} bytes`;
}

/** `1 file`, `2 files`. */
export function count(number: number, thing: string): string {
  return `${String(number)} ${thing}${number === 1 ? '' : 's'}`;
}

/** Rows with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** A file's text or name as a terminal may have it: lines end with `\n`, and nothing in them steers the terminal. */
export function printable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/(?![\n\t])\p{Cc}/gu, '\uFFFD');
}

/** The text with `~` for the user's home folder, so that it names nobody. */
export function withoutHome(text: string): string {
  const home = homedir();
  return home.length > 1 ? text.replaceAll(home + sep, `~${sep}`).replaceAll(home, '~') : text;
}
