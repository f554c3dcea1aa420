// `sentence-embedder bench`: every row that was asked for, as table, CSV, JSON and page, and its exit statuses.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeVariant, modelFolder, temporaryFolder } from './support/fixtures';
import { cli } from './support/replay';

interface Run {
  model: { maxTokens: number };
  rows: {
    kind: string;
    textSize: number;
    batchSize: number;
    callers: number;
    iterations: number;
    latencyMs: { p50: number; p95: number; p99: number };
    textsPerSecond: number;
    charsPerSecond: number;
    tokensPerSecond: number;
    successRate: number;
    speedUp: number | null;
    efficiency: number | null;
  }[];
}

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
const readRun = (name: string): Run => JSON.parse(readFileSync(file(name), 'utf8')) as Run;

describe('a run', () => {
  let outcome: ReturnType<typeof cli>;

  beforeAll(() => {
    outcome = cli(
      ...[
        'bench',
        '--quick',
        '--model',
        modelFolder('bert'),
        '--cache-dir',
        file('cache'),
        '--sizes',
        '100,300',
        '--batches',
        '4,1',
      ],
      ...['--max-concurrency', '3', '--iterations', '2'],
      ...['--export-csv', file('run.csv'), '--export-json', file('run.json'), '--report', file('run.html')],
    );
  });

  test('prints tables, and before them that the model is prepared', () => {
    expect(outcome).toMatchObject({ status: 0, stderr: expect.stringMatching(/^Preparing .*bert…\n$/) as string });
    expect(outcome.stdout).toContain('bert, fp32');
    expect(outcome.stdout).toMatch(/characters .* texts .* p50 ms .* p95 ms .* p99 ms .* texts\/s .* tokens\/s/);
    expect(outcome.stdout).toContain('Concurrent callers');
  });

  test('has the rows that were asked for, with consistent figures', () => {
    const { rows, model } = readRun('run.json');
    expect(rows.map(({ kind, textSize, batchSize, callers }) => [kind, textSize, batchSize, callers])).toEqual([
      ['serial', 100, 4, 1],
      ['serial', 100, 1, 1],
      ['serial', 300, 4, 1],
      ['serial', 300, 1, 1],
      ['concurrent', 1000, 32, 1],
      ['concurrent', 1000, 32, 2],
      ['concurrent', 1000, 32, 3],
    ]);
    for (const row of rows) {
      expect(row.iterations).toBe(2);
      expect(row.successRate).toBe(1);
      expect(row.latencyMs.p50).toBeGreaterThan(0);
      expect(row.latencyMs.p95).toBeGreaterThanOrEqual(row.latencyMs.p50);
      expect(row.latencyMs.p99).toBeGreaterThanOrEqual(row.latencyMs.p95);
      expect(row.charsPerSecond).toBeCloseTo(row.textsPerSecond * row.textSize);
      // The texts are longer than the model reads.
      expect(row.tokensPerSecond).toBeCloseTo(row.textsPerSecond * model.maxTokens);
      expect(row.efficiency).toBeCloseTo((row.speedUp ?? NaN) / row.callers);
    }
    const [alone, , three] = rows.slice(4);
    expect(alone?.speedUp).toBe(1);
    expect(three?.speedUp).toBeCloseTo((three?.textsPerSecond ?? 0) / (alone?.textsPerSecond ?? NaN));
  });

  test('writes CSV with a line a row', () => {
    const lines = readFileSync(file('run.csv'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(8);
    expect(lines[0]).toMatch(/^kind,text_size,batch_size,callers,.*,p50_ms,p95_ms,p99_ms,.*,speed_up,efficiency$/);
    expect(new Set(lines.map((line) => line.split(',').length))).toEqual(new Set([14]));
  });

  test('writes one page that loads nothing', () => {
    const page = readFileSync(file('run.html'), 'utf8');
    expect(page).toContain('Throughput by batch size');
    expect(page).toContain('Latency per call, 300 characters per text');
    expect(page).toContain('Throughput by concurrent callers');
    // In ascending order, whatever was asked for: the plot library takes it for granted.
    expect(page).toContain('"x":{"label":"texts per call","values":[1,4]}');
    expect(page).toContain('uPlot=function');
    expect(page).not.toMatch(/(?:src|href)=|@import|url\(/);
  });
});

test('calls that fail are told, and have an exit status of their own', () => {
  // This model answers up to 8 tokens.
  const model = makeVariant(folder, 'fails-at-run');
  const { status, stdout } = cli(
    ...['bench', '--model', model, '--sizes', '5,200', '--batches', '2', '--max-concurrency', '1', '--iterations', '1'],
    ...['--export-json', file('failed.json'), '--export-csv', file('failed.csv')],
  );
  expect(status).toBe(3);
  expect(stdout).toContain('Failed calls:');
  expect(stdout).toContain('1 caller, 2 texts of 200 characters: ');
  const { rows } = readRun('failed.json');
  expect(rows.map(({ successRate }) => successRate)).toEqual([1, 0, 0, 0, 0]);
  expect(rows.map(({ speedUp, efficiency }) => [speedUp, efficiency])).toEqual([
    [1, 1],
    ...Array.from({ length: 4 }, () => [null, null]),
  ]);
  expect(readFileSync(file('failed.csv'), 'utf8')).toMatch(/,0\.0000,,\n$/);
});

test.each([
  [['--sizes', '1e12'], 'whole numbers from 1 to 100000 for --sizes but received "1e12"'],
  [['--batches', '1,1001'], 'whole numbers from 1 to 1000 for --batches but received "1001"'],
  [
    ['--max-concurrency', '1000000000'],
    'a whole number from 1 to 1000 for --max-concurrency but received "1000000000"',
  ],
  [['--iterations', '0x10'], 'a whole number from 1 to 10000 for --iterations but received "0x10"'],
  [['--threads', ' 2'], 'a whole number of at least 1 for --threads but received " 2"'],
])('%j is refused', (args, sentence) => {
  const { status, stderr } = cli('bench', ...args);
  expect(stderr).toContain(`Expected ${sentence}`);
  expect(status).toBe(2);
});

test.each([
  [2, ['--sizes', '0']],
  [2, ['--batches', '1,x']],
  [2, ['--iterations', '1.5']],
  [2, ['--precision', 'fp64']],
  [1, ['--model', 'nowhere/at/all', '--offline']],
])('exit status %i for %j', (status, args) => {
  expect(cli('bench', ...args).status).toBe(status);
});

test('a run that came to no end leaves no report', () => {
  const { status } = cli('bench', '--model', file('nowhere'), '--report', file('none.html'));
  expect(status).toBe(1);
  expect(existsSync(file('none.html'))).toBe(false);
});

test('a report that cannot be written is a failure, told before the time is spent', () => {
  writeFileSync(file('a-file'), '');
  const { status, stderr, stdout } = cli(
    'bench',
    '--model',
    modelFolder('bert'),
    '--report',
    join(file('a-file'), 'run.html'),
  );
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain('a-file');
});
