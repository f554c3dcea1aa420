// How the demo looks: colours on a terminal that wants them, plain text elsewhere, lines that fit.

import process from 'node:process';

const colours = process.stdout.isTTY && process.stdout.hasColors(); // which NO_COLOR turns off
const width = Math.min(process.stdout.columns || 100, 120);

/** @param {number} on @param {number} off */
const style = (on, off) => (/** @type {string} */ text) =>
  colours ? `\x1b[${String(on)}m${text}\x1b[${String(off)}m` : text;

export const bold = style(1, 22);
export const dim = style(2, 22);
export const green = style(32, 39);

/** @param {string} label @param {string} text */
export const row = (label, text) => `  ${dim(label.padEnd(9))} ${wrap(text, 12)}`;

/** A bar of ten characters for a number from 0 to 1. @param {number} share */
export function bar(share) {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * 10);
  return '█'.repeat(filled) + '░'.repeat(10 - filled);
}

/** Breaks text into lines that leave `indent` columns free. @param {string} text @param {number} indent */
export function wrap(text, indent) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1] ?? '';
    if (line && line.length + 1 + word.length > width - indent) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

/** @param {number} ms */
export const milliseconds = (ms) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;

/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

/** @param {number} bytes */
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
