// Which lines of lib/ ran, from what V8 counted in every process that used dist/.

import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'acorn';
import convert from 'ast-v8-to-istanbul';
import coverage from 'istanbul-lib-coverage';
import { ROOT } from './packages.mjs';

/** @typedef {import('node:inspector').Profiler.ScriptCoverage} ScriptCoverage */

/**
 * How often each line with a statement ran, for every file of lib/.
 * @param {string} folder where NODE_V8_COVERAGE had the processes write
 * @returns {Promise<Map<string, Map<number, number>>>}
 */
export async function linesOfLib(folder) {
  const built = builtFiles();
  const map = coverage.createCoverageMap();
  // What no process loaded counts as well.
  for (const [url, { code }] of built) {
    const ranges = [{ startOffset: 0, endOffset: code.length, count: 0 }];
    await add({ scriptId: '', url, functions: [{ functionName: '', isBlockCoverage: true, ranges }] });
  }
  for (const name of readdirSync(folder)) {
    /** @type {{ result: ScriptCoverage[] }} */
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    for (const script of result) await add(script);
  }
  const sources = map.files().filter((path) => path.startsWith(join(ROOT, 'lib/')));
  return new Map(sources.map((path) => [relative(ROOT, path), linesOf(map.fileCoverageFor(path))]));

  /** @param {ScriptCoverage} script */
  async function add(script) {
    const file = built.get(script.url);
    if (file) map.merge(await convert({ ...file, coverage: script }));
  }
}

/** The files of dist/ that were made from lib/, by their addresses. */
function builtFiles() {
  const dist = join(ROOT, 'dist');
  const names = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => /\.m?js\.map$/.test(name));
  return new Map(
    names.map((name) => {
      const path = join(dist, name.replace(/\.map$/, ''));
      const code = readFileSync(path, 'utf8');
      const sourceType = path.endsWith('.mjs') ? 'module' : 'script';
      const ast = parse(code, { ecmaVersion: 'latest', sourceType });
      return [pathToFileURL(path).href, { code, ast, sourceMap: JSON.parse(readFileSync(join(dist, name), 'utf8')) }];
    }),
  );
}

/** @param {import('istanbul-lib-coverage').FileCoverage} file */
const linesOf = (file) => new Map(Object.entries(file.getLineCoverage()).map(([line, count]) => [Number(line), count]));
