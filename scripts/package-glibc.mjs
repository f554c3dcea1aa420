// Whether the addon runs wherever its ONNX Runtime library does: node scripts/package-glibc.mjs ADDON LIBRARY
// On Linux a library names the oldest version of each system library that it can be loaded with.

import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

/**
 * The newest version of each family of system symbols that a library needs: `{ GLIBC: '2.28', GCC: '4.2.0' }`.
 * @param {string} file
 * @returns {Record<string, string>}
 */
export function neededVersions(file) {
  const output = execFileSync('readelf', ['--version-info', '--wide', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const needs = output.slice(output.indexOf('Version needs section'));
  /** @type {Record<string, string>} */
  const newest = {};
  for (const [, family = '', version = ''] of needs.matchAll(/Name: ([A-Z]+)_([0-9.]+)\b/g)) {
    if (!newest[family] || isNewer(version, newest[family])) newest[family] = version;
  }
  return newest;
}

/**
 * What an addon needs in a newer version than its library does, in words.
 * @param {Record<string, string>} addon
 * @param {Record<string, string>} library
 */
export function newerThan(addon, library) {
  return Object.entries(addon)
    .filter(([family, version]) => isNewer(version, library[family] ?? '0'))
    .map(([family, version]) => `${family} ${version}, but ONNX Runtime only ${library[family] ?? 'none of it'}`);
}

/**
 * @param {string} a
 * @param {string} b
 */
const isNewer = (a, b) => a.localeCompare(b, 'en', { numeric: true }) > 0;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [addon = '', library = ''] = process.argv.slice(2);
  const newer = newerThan(neededVersions(addon), neededVersions(library));
  for (const line of newer) console.error(`${addon} needs ${line}.`);
  if (newer.length > 0) {
    console.error('Build it with "npm run build:portable", which links against an older C library.');
    process.exitCode = 1;
  }
}
