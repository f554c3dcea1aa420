// From turns to figures: medians with their range, ratios to the sidecar round by round, shares of the machine's peak.

import { max, median, min } from 'simple-statistics';
import { CONTENDERS } from './contenders/index.mjs';
import { judge } from './targets.mjs';

/**
 * @typedef {{ median: number, min: number, max: number }} Spread
 *
 * @typedef {import('./turn.mjs').TurnResult & { round: number, contender: string, threads: number }} RunTurn
 *
 * @typedef {object} ModelShape config.json, of which the shape is used
 * @property {string} [model_type]
 * @property {number} num_hidden_layers
 * @property {number} hidden_size
 * @property {number} intermediate_size
 *
 * @typedef {object} Run
 * @property {string} date
 * @property {ReturnType<import('./machine.mjs').machine>} machine
 * @property {ModelShape} model
 * @property {{ rounds: number, threads: number, curve: number[], quick: boolean, seconds: number, callers: number }} settings
 * @property {Record<string, string>} absent contenders that had no turn, and why
 * @property {Record<string, number>} firstStarts milliseconds to the first vector with nothing prepared
 * @property {(import('./machine.mjs').Peak & { round: number })[]} peaks
 * @property {RunTurn[]} turns
 *
 * @typedef {object} Row All figures of a contender with a number of threads.
 * @property {string} contender
 * @property {number} threads
 * @property {Record<string, Spread>} figures
 * @property {Record<string, Spread>} toSidecar the same, divided by the sidecar's figure of the same round
 *
 * @typedef {object} Summary
 * @property {Row[]} rows
 * @property {import('./targets.mjs').Verdict[]} targets
 */

/**
 * @param {Run} run
 * @returns {Summary}
 */
export function summarise(run) {
  const keys = new Set(run.turns.map(({ contender, threads }) => `${contender} ${String(threads)}`));
  const rows = [...keys].map((key) => {
    const turns = run.turns.filter(({ contender, threads }) => `${contender} ${String(threads)}` === key);
    return row(run, turns);
  });
  return { rows, targets: judge(run, rows) };
}

/**
 * @param {Run} run
 * @param {RunTurn[]} turns of one contender with one number of threads
 * @returns {Row}
 */
function row(run, turns) {
  const [first] = turns;
  if (!first) throw new Error('A row needs a turn');
  /** @type {Record<string, number[]>} */
  const figures = {};
  /** @type {Record<string, number[]>} */
  const ratios = {};
  for (const turn of turns) {
    const sidecar = run.turns.find(
      ({ contender, round, threads }) => contender === 'sidecar' && round === turn.round && threads === turn.threads,
    );
    const base = sidecar ? flatten(run, sidecar) : {};
    for (const [name, value] of Object.entries(flatten(run, turn))) {
      (figures[name] ??= []).push(value);
      if (base[name] !== undefined) (ratios[name] ??= []).push(value / base[name]);
    }
    const reference = sidecar?.sample;
    if (reference) (figures['cosineToSidecar'] ??= []).push(leastCosine(turn.sample, reference));
  }
  return { contender: first.contender, threads: first.threads, figures: spreads(figures), toSidecar: spreads(ratios) };
}

/**
 * The numbers of one turn by name.
 * @param {Run} run
 * @param {RunTurn} turn
 */
function flatten(run, turn) {
  const { bulk1000, bulk200, query, interference, callers, memory } = turn;
  const kind = CONTENDERS[turn.contender]?.precision === 'int8' ? 'igemm' : 'sgemm';
  const peak = run.peaks.find(({ round, threads }) => round === turn.round && threads === turn.threads)?.[kind].gops;
  /** @param {'bulk1000' | 'bulk200'} figure */
  const shareOfPeak = (figure) => {
    const tokens = turn.meanTokens?.[figure];
    const speed = turn[figure]?.textsPerSecond;
    return tokens && speed && peak ? (speed * tokens * gopsPerToken(run.model, tokens)) / peak : undefined;
  };
  const named = {
    bulk1000: bulk1000?.textsPerSecond,
    bulk200: bulk200?.textsPerSecond,
    shareOfPeak1000: shareOfPeak('bulk1000'),
    shareOfPeak200: shareOfPeak('bulk200'),
    queryP50: query?.p50Ms,
    queryP95: query?.p95Ms,
    queryP95DuringBulk: interference?.p95Ms,
    interference: interference && query && interference.p95Ms / query.p95Ms,
    // A contender without an event loop is timed by itself, so its process has no figure of it.
    loopDelayP99: CONTENDERS[turn.contender]?.inNode ? bulk1000?.loopDelayP99Ms : undefined,
    loopDelayMax: CONTENDERS[turn.contender]?.inNode ? bulk1000?.loopDelayMaxMs : undefined,
    callersToSerial: callers?.toSerial,
    callersFailures: callers?.failures,
    start: turn.startMs,
    residentMiB: memory?.residentMiB,
    anonymousMiB: memory?.anonymousMiB,
    peakMiB: memory?.peakMiB,
  };
  return /** @type {Record<string, number>} */ (
    Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
  );
}

/**
 * Multiplications and additions of the matrix products for one token of a text of `tokens` tokens, in billions.
 * @param {ModelShape} model
 * @param {number} tokens
 */
export function gopsPerToken({ num_hidden_layers: layers, hidden_size: h, intermediate_size: f }, tokens) {
  const weights = 4 * h * h + 2 * h * f;
  const attention = 2 * tokens * h;
  return (2 * layers * (weights + attention)) / 1e9;
}

/** @param {Record<string, number[]>} lists */
function spreads(lists) {
  return Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [name, { median: median(list), min: min(list), max: max(list) }]),
  );
}

/**
 * @param {number[][]} vectors
 * @param {number[][]} reference
 */
function leastCosine(vectors, reference) {
  return min(vectors.map((vector, at) => cosine(vector, reference[at] ?? [])));
}

/**
 * @param {number[]} a
 * @param {number[]} b
 */
function cosine(a, b) {
  /** @param {number[]} x @param {number[]} y */
  const dot = (x, y) => x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
