// The results as Markdown: the machine, the contenders, this project's promises, threads.

import { CONTENDERS } from './contenders/index.mjs';

/**
 * @typedef {import('./summary.mjs').Run & { summary: import('./summary.mjs').Summary }} Result
 * @typedef {import('./summary.mjs').Row} Row
 * @typedef {import('./summary.mjs').Spread} Spread
 */

/** @type {[title: string, figure: string, digits: number][]} */
const COLUMNS = [
  ['1000 characters, texts/s', 'bulk1000', 1],
  ['200 characters, texts/s', 'bulk200', 1],
  ['query p50, ms', 'queryP50', 1],
  ['query p95, ms', 'queryP95', 1],
  ['query p95 during bulk, ms', 'queryP95DuringBulk', 0],
  ['event-loop delay p99, ms', 'loopDelayP99', 1],
  ['max, ms', 'loopDelayMax', 1],
  ['callers to serial', 'callersToSerial', 2],
  ['start, s', 'start', 2],
  ['resident, MiB', 'residentMiB', 0],
  ['anonymous, MiB', 'anonymousMiB', 0],
  ['cosine to the sidecar', 'cosineToSidecar', 4],
];
const RATIOS = new Set(['bulk1000', 'bulk200', 'queryP50', 'queryP95', 'queryP95DuringBulk', 'start', 'residentMiB']);

/**
 * @param {Result} result
 * @returns {string}
 */
export function markdown(result) {
  const { rows, targets } = result.summary;
  const main = rows.filter(({ threads }) => threads === result.settings.threads);
  return [
    heading(result),
    contenders(main),
    ratios(main),
    targets.length && promises(targets),
    threadCurve(result, rows),
    absent(result),
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** @param {Result} result */
function heading({ date, machine, model, settings, peaks, firstStarts }) {
  const { processor, processors, instructions, memoryGiB, system, node, loadBefore } = machine;
  const shape = `${String(model.num_hidden_layers)} layers, hidden size ${String(model.hidden_size)}`;
  const best = (/** @type {'sgemm' | 'igemm'} */ kind, /** @type {number} */ threads) =>
    peaks
      .filter((peak) => peak.threads === threads)
      .map((peak) => peak[kind])
      .sort((a, b) => b.gops - a.gops)[0];
  const lines = [
    `Run of ${date.slice(0, 16).replace('T', ' ')} UTC${settings.quick ? ', **quick: not to be quoted**' : ''}.`,
    `Machine: ${processor}, ${String(processors)} processors (${instructions.join(', ')}), ${String(memoryGiB)} GiB, ` +
      `${system}, Node ${node}; load before the run ${loadBefore.toFixed(1)}.`,
    `Model: ${model.model_type ?? 'unknown'}, ${shape}. ${String(settings.rounds)} rounds, ` +
      `${String(settings.threads)} threads. Figures are medians of the rounds, in brackets the range.`,
  ];
  for (const threads of new Set(peaks.map((peak) => peak.threads))) {
    const [sgemm, igemm] = [best('sgemm', threads), best('igemm', threads)];
    if (!sgemm || !igemm) continue;
    lines.push(
      `Peak with ${String(threads)} threads: sgemm ${sgemm.gops.toFixed(0)} GFLOP/s (${sgemm.by}), ` +
        `igemm ${igemm.gops.toFixed(0)} GOP/s (${igemm.by}).`,
    );
  }
  const first = Object.entries(firstStarts).map(([name, ms]) => `${label(name)} ${(ms / 1000).toFixed(2)} s`);
  if (first.length) lines.push(`First start of all, before the rounds: ${first.join(', ')}.`);
  return lines.join('\n');
}

/** @param {Row[]} rows */
function contenders(rows) {
  const columns = COLUMNS.filter(([, figure]) => rows.some((row) => row.figures[figure]));
  return table(
    ['', ...columns.map(([title]) => title)],
    rows.map((row) => [
      label(row.contender),
      ...columns.map(([, figure, digits]) => {
        const scale = figure === 'start' ? 1000 : 1;
        return spread(row.figures[figure], digits, scale);
      }),
    ]),
  );
}

/** @param {Row[]} rows */
function ratios(rows) {
  const columns = COLUMNS.filter(([, figure]) => RATIOS.has(figure) && rows.some((row) => row.toSidecar[figure]));
  if (columns.length === 0) return '';
  return `Ratio to the sidecar, round by round:\n\n${table(
    ['', ...columns.map(([title]) => title.replace(/, (texts\/s|ms|s|MiB)$/, ''))],
    rows
      .filter(({ contender }) => contender !== 'sidecar')
      .map((row) => [label(row.contender), ...columns.map(([, figure]) => spread(row.toSidecar[figure], 2))]),
  )}`;
}

/** @param {import('./targets.mjs').Verdict[]} targets */
function promises(targets) {
  return table(
    ['promise', 'precision', 'target', 'measured', ''],
    targets.map(({ text, contender, of, least, most, value, met }) => {
      const times = of === 'toSidecar' ? ' x sidecar' : '';
      const limit = least === undefined ? `<= ${String(most)}` : `>= ${String(least)}`;
      return [text, contender, limit + times, value.toFixed(2), met ? 'met' : '**missed**'];
    }),
  );
}

/**
 * @param {Result} result
 * @param {Row[]} rows
 */
function threadCurve({ settings }, rows) {
  const own = rows.filter(({ contender }) => CONTENDERS[contender]?.own);
  if (new Set(own.map(({ threads }) => threads)).size < 2) return '';
  const sorted = [...own].sort((a, b) => a.contender.localeCompare(b.contender) || a.threads - b.threads);
  return `By threads (${settings.curve.join(', ')}):\n\n${table(
    ['', 'threads', '1000 characters, texts/s', '200 characters, texts/s', 'query p50, ms', 'share of peak'],
    sorted.map(({ contender, threads, figures }) => [
      label(contender),
      String(threads),
      spread(figures['bulk1000'], 1),
      spread(figures['bulk200'], 1),
      spread(figures['queryP50'], 1),
      spread(figures['shareOfPeak1000'], 2),
    ]),
  )}`;
}

/** @param {Result} result */
function absent(result) {
  const lines = Object.entries(result.absent).map(([name, reason]) => `- ${label(name)}: ${reason}`);
  return lines.length ? `Without a figure:\n\n${lines.join('\n')}` : '';
}

/** @param {string} name */
function label(name) {
  return CONTENDERS[name]?.label ?? name;
}

/**
 * @param {Spread | undefined} value
 * @param {number} digits
 * @param {number} [scale]
 */
function spread(value, digits, scale = 1) {
  if (!value) return '-';
  const [middle, least, most] = [value.median, value.min, value.max].map((it) => (it / scale).toFixed(digits));
  return least === most ? String(middle) : `${String(middle)} (${String(least)}-${String(most)})`;
}

/**
 * @param {string[]} header
 * @param {string[][]} rows
 */
function table(header, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
