/** What runs in the browser of who opens a report: it is written into the page as text, so it can use nothing outside itself. */

import type uPlot from 'uplot';
import type { Chart } from './charts.js';

/** The little of the browser that it needs. */
interface Page {
  getElementById(id: string): { clientWidth: number } | null;
}

/** Draws each chart into the element `chart-N`. */
export function drawCharts(Plot: typeof uPlot, page: Page, charts: Chart[]): void {
  // Colours that people who see no red or no green can still tell apart (Okabe and Ito).
  const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
  charts.forEach((chart, index) => {
    const place = page.getElementById(`chart-${String(index)}`);
    if (!place) return;
    const options: uPlot.Options = {
      title: chart.title,
      width: place.clientWidth,
      height: 320,
      scales: {
        x: { time: false },
        // From zero, so that a small difference looks small.
        y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] },
      },
      axes: [
        { label: chart.x.label, splits: () => [...chart.x.values], values: (_plot, splits) => splits.map(String) },
        { label: chart.y.label, size: 70 },
      ],
      series: [
        { label: chart.x.label },
        ...chart.lines.map((line, at): uPlot.Series => ({
          label: line.label,
          stroke: colours[at % colours.length] ?? '#000000',
          width: 2,
          ...(line.dashed ? { dash: [6, 4] } : {}),
          points: { show: !line.dashed, size: 7 },
          value: (_plot, value: number | null) =>
            value === null ? '–' : value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 2 : 1 }),
        })),
      ],
    };
    const data = [chart.x.values, ...chart.lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
    new Plot(options, data, place);
  });
}
