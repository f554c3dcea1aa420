/** The result of a run as one HTML file with charts and the whole table. It loads nothing from anywhere. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { charts } from './charts.js';
import { drawCharts } from './draw-charts.js';
import type { BenchRun } from './export.js';
import type { Row } from './measure.js';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(28rem, 1fr)); gap: 2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #ddd; } th { background: #f4f4f4; }
.failed { color: #a00; }`;

const COLUMNS: readonly (readonly [title: string, value: (row: Row) => string])[] = [
  ['characters', (row) => whole(row.textSize)],
  ['texts per call', (row) => whole(row.batchSize)],
  ['callers', (row) => whole(row.callers)],
  ['p50 ms', (row) => row.latencyMs.p50.toFixed(1)],
  ['p95 ms', (row) => row.latencyMs.p95.toFixed(1)],
  ['p99 ms', (row) => row.latencyMs.p99.toFixed(1)],
  ['texts/s', (row) => row.textsPerSecond.toFixed(1)],
  ['chars/s', (row) => whole(row.charsPerSecond)],
  ['tokens/s', (row) => whole(row.tokensPerSecond)],
  ['success', (row) => percent(row.successRate)],
  ['speed-up', (row) => row.speedUp?.toFixed(2) ?? '-'],
  ['efficiency', (row) => (row.efficiency === null ? '-' : percent(row.efficiency))],
];

/** The page. */
export function htmlReport(run: BenchRun): string {
  const { date, machine, model, rows } = run;
  const drawn = charts(rows);
  const failures = rows.flatMap((row) => row.failures);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(model.model)} on ${escape(machine.processor)}</title>
<style>${asset('uPlot.min.css')}${STYLE}</style>
<h1>${escape(model.model)}</h1>
<p>${escape(model.precision)}, ${String(model.threads)} threads, up to ${String(model.maxTokens)} tokens.
${escape(machine.processor)}, ${String(machine.processors)} processors, ${String(machine.memoryGiB)} GiB,
${escape(machine.platform)}, Node ${escape(machine.node)}. ${escape(date.slice(0, 16).replace('T', ' '))} UTC.</p>
${failures.length > 0 ? `<p class="failed">Failed calls: ${escape([...new Set(failures)].join('; '))}</p>` : ''}
<div class="charts">${drawn.map((_, index) => `<div id="chart-${String(index)}"></div>`).join('')}</div>
<h2>All results</h2>
<table><thead><tr>${COLUMNS.map(([title]) => `<th>${title}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${COLUMNS.map(([, value]) => `<td>${value(row)}</td>`).join('')}</tr>`).join('\n')}</tbody></table>
<script>${asset('uPlot.iife.min.js')}</script>
<script>(${drawCharts.toString()})(uPlot, document, ${inScript(drawn)});</script>
</html>
`;
}

/** A file of the plot library, which the build puts beside the program. */
function asset(name: string): string {
  return readFileSync(join(__dirname, name), 'utf8');
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}

/** JSON that cannot end the script that it stands in. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const percent = (share: number): string => `${(100 * share).toFixed(0)}%`;
