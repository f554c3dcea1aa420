/** The progress of a download: a bar on a terminal, plain lines elsewhere. */

import type { LoadEvent } from '../types.js';
import { bytes, count } from './format.js';

const WIDTH = 28;
/** Plain lines are for logs: one for each tenth. */
const STEPS = 10;

/** Shows events on `out`. `end` leaves the cursor at the start of a line. */
export function progressOn(out: NodeJS.WriteStream): { show: (event: LoadEvent) => void; end: () => void } {
  let total = 0;
  let step = 0;
  let startedAt = 0;
  let startedFrom: number | undefined;
  let drawn = false;

  const end = (): void => {
    if (drawn) out.write('\n');
    drawn = false;
  };
  const rate = (overall: number): string => {
    startedFrom ??= overall;
    const seconds = (performance.now() - startedAt) / 1000;
    const speed = seconds > 0.5 ? ((overall - startedFrom) * total) / seconds : 0;
    if (speed <= 0) return '';
    const left = Math.round(((1 - overall) * total) / speed);
    return `  ${bytes(speed)}/s  ${String(Math.floor(left / 60))}:${String(left % 60).padStart(2, '0')} left`;
  };
  const show = (event: LoadEvent): void => {
    if (event.type === 'download_started') {
      ({ total } = event);
      startedAt = performance.now();
      out.write(`Downloading ${event.model}: ${count(event.files, 'file')}, ${bytes(total)}\n`);
    } else if (event.type === 'download_progress') {
      const { overall } = event;
      if (out.isTTY) {
        const filled = Math.round(overall * WIDTH);
        const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
        const line = `${bar} ${(overall * 100).toFixed(0).padStart(3)}%  ${event.file}${rate(overall)}`;
        // Cut to the terminal: a line that wraps could not be drawn over.
        out.write(`\r\u001b[K${line.slice(0, Math.max(out.columns - 1, 20))}`);
        drawn = true;
      } else if (Math.floor(overall * STEPS) > step) {
        step = Math.floor(overall * STEPS);
        out.write(`${String(step * (100 / STEPS))}%  ${event.file}\n`);
      }
    } else {
      end();
      if (event.type === 'preparing') out.write(`Preparing ${event.model}…\n`);
      if (event.type === 'warning') out.write(`Warning: ${event.message}\n`);
    }
  };
  return { show, end };
}
