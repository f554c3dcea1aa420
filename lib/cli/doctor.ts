/** `doctor`: what a bug report needs to know of this machine, without a token and without the user's name. */

import { cpus, release, totalmem } from 'node:os';
import { answer } from '../abort.js';
import { Embedder } from '../embedder.js';
import { nativeAddon, type SystemReport } from '../native.js';
import { CACHE_DETAIL, text, say, type Command } from './command.js';
import { bytes, table, withoutHome } from './format.js';

const TEXT = 'The quick brown fox jumps over the lazy dog.';
const ROUNDS = 20;

export const doctor: Command = {
  name: 'doctor',
  usage: '[MODEL] [OPTIONS]',
  summary: 'Report platform, ONNX Runtime, cache and network settings, and run a timed self-test',
  details: [
    'MODEL  Folder or cached model for the self-test (default: the default model, else any cached one)',
    CACHE_DETAIL,
  ],
  examples: ['', './models/all-MiniLM-L6-v2'],
  options: { 'cache-dir': { type: 'string' } },
  operands: 1,
  async run(input) {
    const cacheDir = text(input, 'cache-dir');
    const report = await answer(() => Promise.resolve(nativeAddon().systemReport(cacheDir)));
    const rows = [...machine(report), ...runtime(report), ...store(report), ...network(report)];
    const tested = await selfTest(report, input.operands[0], cacheDir, input.signal);
    rows.push(['self-test', tested.result]);
    for (const line of table(rows)) say(withoutHome(line));
    if (!report.runtime.loaded || tested.failed) process.exitCode = 1;
  },
};

type Rows = [string, string][];

function machine(report: SystemReport): Rows {
  const { versions } = process;
  // Typed as if it were always Electron.
  const host = 'electron' in versions ? `Electron ${versions.electron}` : `Node ${process.versions.node}`;
  return [
    ['sentence-embedder', report.version],
    ['platform', `${report.platform}, ${release()}, ${host}`],
    ['processor', `${cpus()[0]?.model.trim() ?? 'unknown'} (${report.features.join(', ') || 'no special features'})`],
    ['cores', `${String(report.cores)} physical, ${String(report.threads)} used by default`],
    ['memory', bytes(totalmem())],
  ];
}

function runtime({ runtime: it }: SystemReport): Rows {
  return [
    ['ONNX Runtime', it.loaded ? `${it.wanted}, loaded` : `${it.wanted} does not load: ${it.problem ?? 'unknown'}`],
    ['library', it.library ?? 'not found'],
    ['telemetry', it.telemetryOff ? 'off' : 'NOT off: please report this'],
  ];
}

function store({ store: it }: SystemReport): Rows {
  if (it.problem !== undefined) return [['cache', it.problem]];
  const rights = it.writable ? 'writable' : 'NOT writable';
  const free = it.freeBytes === null ? 'free space unknown' : `${bytes(it.freeBytes)} free`;
  return [
    ['cache', `${it.cache} (${it.exists ? 'exists' : 'not created yet'}, ${rights}, ${free})`],
    ['hub', `${it.endpoint}${it.offline ? ' (offline: never contacted)' : ''}`],
    ['token', it.token ? 'set' : 'not set'],
  ];
}

function network({ proxies }: SystemReport): Rows {
  const set = Object.entries(proxies).map(([name, value]) => `${name}=${value}`);
  return [['proxies', set.length > 0 ? set.join(' ') : 'none']];
}

async function selfTest(
  report: SystemReport,
  named: string | undefined,
  cacheDir: string | undefined,
  signal: AbortSignal,
): Promise<{ result: string; failed: boolean }> {
  const cached = nativeAddon().cachedModels(cacheDir);
  const usable = cached.filter((model) => !model.partial).map((model) => model.model);
  const model = named ?? (usable.includes(report.defaultModel) ? report.defaultModel : usable[0]);
  if (model === undefined) {
    return { result: 'skipped: the cache has no models. Download one with: npx sentence-embedder pull', failed: false };
  }
  try {
    const place = cacheDir === undefined ? {} : { cacheDir };
    const embedder = await Embedder.load({ model, offline: true, signal, ...place });
    const { info } = embedder;
    const start = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) await embedder.embedOne(TEXT, { signal });
    const one = (performance.now() - start) / ROUNDS;
    const batchStart = performance.now();
    const texts = Array.from({ length: ROUNDS * 5 }, (_, i) => `${TEXT} ${String(i)}`);
    await embedder.embedBatch(texts, { signal });
    const rate = texts.length / ((performance.now() - batchStart) / 1000);
    await embedder.close();
    const result =
      `${info.model} (${info.precision}, ${String(info.dimension)} dimensions): ` +
      `one short text in ${one.toFixed(1)} ms, ${rate.toFixed(0)} short texts per second`;
    return { result, failed: false };
  } catch (error) {
    if (signal.aborted) throw error;
    return { result: `FAILED on ${model}: ${error instanceof Error ? error.message : String(error)}`, failed: true };
  }
}
