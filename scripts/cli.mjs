// Bundles the command line into dist/cli.js, so that installing the package installs nothing else, and puts the plot
// library of the reports and the licences of everything bundled beside it.

import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './packages.mjs';

const DIST = join(ROOT, 'dist');
const PLOT_LIBRARY = ['uPlot.iife.min.js', 'uPlot.min.css'];

/** @param {{ sourceMaps: boolean }} options */
export async function buildCli({ sourceMaps }) {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['lib/cli/main.ts'],
    outfile: 'dist/cli.js',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    metafile: true,
    sourcemap: sourceMaps,
    logLevel: 'warning',
  });
  for (const name of PLOT_LIBRARY) copyFileSync(join(ROOT, 'node_modules/uplot/dist', name), join(DIST, name));
  const bundled = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  const licences = [...new Set([...bundled, 'uplot'])].sort().map(licence);
  writeFileSync(join(DIST, 'THIRD-PARTY-LICENSES.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));
}

/**
 * Name, version and licence of a package; an error if it comes without a licence.
 * @param {string} name
 */
function licence(name) {
  const folder = join(ROOT, 'node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file || !existsSync(join(folder, file))) throw new Error(`${name} has no licence file`);
  return `${name} ${String(version)}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
