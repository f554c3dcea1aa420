// What this project promises about its speed, and whether a run shows it.

/**
 * @typedef {import('./summary.mjs').Run} Run
 * @typedef {import('./summary.mjs').Row} Row
 *
 * @typedef {object} Target
 * @property {string} text
 * @property {'fp32' | 'int8'} contender
 * @property {'figures' | 'toSidecar'} of
 * @property {string} figure
 * @property {number} [least]
 * @property {number} [most]
 *
 * @typedef {Target & { value: number, met: boolean }} Verdict
 */

/** @type {Target[]} */
const TARGETS = [
  { text: '1000-character chunks', contender: 'fp32', of: 'toSidecar', figure: 'bulk1000', least: 1.15 },
  { text: '1000-character chunks', contender: 'int8', of: 'toSidecar', figure: 'bulk1000', least: 2.5 },
  { text: '200-character chunks', contender: 'fp32', of: 'toSidecar', figure: 'bulk200', least: 1.7 },
  { text: '200-character chunks', contender: 'int8', of: 'toSidecar', figure: 'bulk200', least: 4 },
  { text: 'one query, p50', contender: 'fp32', of: 'toSidecar', figure: 'queryP50', most: 0.5 },
  { text: 'one query, p50', contender: 'int8', of: 'toSidecar', figure: 'queryP50', most: 0.2 },
  ...both('query p95 during bulk, to its idle p95', 'interference', { most: 2 }),
  ...both('event-loop delay p99 during bulk, ms', 'loopDelayP99', { most: 5 }),
  ...both('event-loop delay max during bulk, ms', 'loopDelayMax', { most: 10 }),
  ...both('concurrent callers, to serial', 'callersToSerial', { least: 0.95 }),
  ...both('concurrent callers, failures', 'callersFailures', { most: 0 }),
  ...both('1 thread to all threads, 1000-character chunks', 'threadSpeedUp', { least: 1.8 }),
  { text: 'share of the sgemm peak', contender: 'fp32', of: 'figures', figure: 'shareOfPeak1000', least: 0.9 },
  { text: 'share of the igemm peak', contender: 'int8', of: 'figures', figure: 'shareOfPeak1000', least: 0.55 },
];

/**
 * @param {string} text
 * @param {string} figure
 * @param {{ least?: number, most?: number }} limit
 * @returns {Target[]}
 */
function both(text, figure, limit) {
  const of = /** @type {const} */ ('figures');
  return /** @type {const} */ (['fp32', 'int8']).map((contender) => ({ text, contender, of, figure, ...limit }));
}

/**
 * The targets that the run has figures for, judged by the medians.
 * @param {Run} run
 * @param {Row[]} rows
 * @returns {Verdict[]}
 */
export function judge(run, rows) {
  return TARGETS.flatMap((target) => {
    const value = target.figure === 'threadSpeedUp' ? speedUp(run, target.contender) : medianOf(run, rows, target);
    if (value === undefined) return [];
    const met = value >= (target.least ?? -Infinity) && value <= (target.most ?? Infinity);
    return [{ ...target, value, met }];
  });
}

/**
 * @param {Run} run
 * @param {Row[]} rows
 * @param {Target} target
 */
function medianOf(run, rows, { contender, of, figure }) {
  return rows.find((row) => row.contender === contender && row.threads === run.settings.threads)?.[of][figure]?.median;
}

/**
 * How much faster all threads are than one, of the rounds the median.
 * @param {Run} run
 * @param {string} contender
 */
function speedUp(run, contender) {
  /** @param {number} round @param {number} threads */
  const speed = (round, threads) =>
    run.turns.find((turn) => turn.contender === contender && turn.round === round && turn.threads === threads)?.bulk1000
      ?.textsPerSecond;
  const ratios = [];
  for (let round = 1; round <= run.settings.rounds; round += 1) {
    const [one, all] = [speed(round, 1), speed(round, run.settings.threads)];
    if (one !== undefined && all !== undefined && run.settings.threads > 1) ratios.push(all / one);
  }
  return ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)];
}
