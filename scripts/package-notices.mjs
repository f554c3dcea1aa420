// The licences of everything that is compiled into the addon, as text: node scripts/package-notices.mjs [target]

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './packages.mjs';
import { ownPlatform, platformOf } from './package-manifests.mjs';

/**
 * @typedef {{ id: string, name: string, version: string, license: string | null, authors: string[],
 *   repository: string | null, manifest_path: string }} Crate
 */

const RULE = '='.repeat(80);

/**
 * Every crate that a target's addon contains, with the texts of its licences. The same text is given once.
 * @param {string} target
 */
export function rustNotices(target) {
  /** @type {Map<string, string[]>} */
  const cratesOfText = new Map();
  for (const crate of linkedCrates(target)) {
    for (const text of licenceTexts(crate)) {
      cratesOfText.set(text, [...(cratesOfText.get(text) ?? []), about(crate)]);
    }
  }
  const parts = [...cratesOfText].map(([text, crates]) => `${RULE}\n${crates.join('\n')}\n\n${text}\n`);
  return (
    'The addon contains the Rust crates below, and the standard library of Rust, which is licensed as\n' +
    '"MIT OR Apache-2.0" (https://www.rust-lang.org/policies/licenses).\n\n' +
    parts.join('\n')
  );
}

/** @param {Crate} crate */
const about = ({ name, version, license, repository }) =>
  `${name} ${version}: ${license ?? 'see below'}${repository ? ` (${repository})` : ''}`;

/**
 * The crates that a normal dependency leads to: not those of build scripts and tests.
 * @param {string} target
 * @returns {Crate[]}
 */
export function linkedCrates(target) {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', target];
  const metadata = JSON.parse(
    execFileSync('cargo', args, {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const crates = new Map(metadata.packages.map((/** @type {Crate} */ crate) => [crate.id, crate]));
  const nodes = new Map(metadata.resolve.nodes.map((/** @type {{ id: string }} */ node) => [node.id, node]));
  const found = new Set();
  const queue = [metadata.resolve.root];
  for (let id = queue.pop(); id; id = queue.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      if (kinds.some((/** @type {{ kind: string | null }} */ { kind }) => kind === null)) queue.push(pkg);
    }
  }
  found.delete(metadata.resolve.root);
  return [...found].map((id) => crates.get(id)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @param {Crate} crate */
function licenceTexts(crate) {
  const texts = licenceFiles(dirname(crate.manifest_path), 2).map((file) => tidy(readFileSync(file, 'utf8')));
  if (texts.length > 0) return [...new Set(texts)];
  if (crate.license?.split(/ OR |\//).includes('MIT')) return [mit(crate)];
  throw new Error(`${crate.name} ${crate.version} has no licence file: its licence is ${String(crate.license)}`);
}

/**
 * The licence files of a crate and of the foreign sources that it carries.
 * @param {string} folder
 * @param {number} depth
 * @returns {string[]}
 */
function licenceFiles(folder, depth) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return depth > 0 ? licenceFiles(path, depth - 1) : [];
    const named = /^(un)?licen[sc]e|^copying|^copyright|^notice/i.test(basename(path));
    return named && !/\.(rs|c|h|py|sh|toml|json)$/.test(path) ? [path] : [];
  });
}

/** @param {string} text */
const tidy = (text) =>
  text
    .replaceAll('\r\n', '\n')
    .replace(/[ \t]+$/gm, '')
    .trim();

/** The text of a crate that says MIT and carries no file. @param {Crate} crate */
const mit = ({ name, authors }) => `Copyright (c) ${authors.join(', ') || `the authors of ${name}`}

${tidy(readFileSync(join(ROOT, 'LICENSE'), 'utf8').replace(/^[\s\S]*?(?=Permission is hereby granted)/, ''))}`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(rustNotices(process.argv[2] ?? platformOf(ownPlatform()).target));
}
