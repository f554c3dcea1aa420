// What the command line says of itself: of every command in the same form, and nothing that it does not understand.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './support/processes';
import { cli } from './support/replay';

/** The lines of a section of a help, without their indent. */
function section(help: string, title: string): string[] {
  const found = new RegExp(`^${title}:\n((?: {2}.*\n)+)`, 'm').exec(help)?.[1] ?? '';
  return found.split('\n').flatMap((line) => (line === '' ? [] : [line.trim()]));
}

/** Words and what they mean, in two columns. */
const columns = (lines: string[]): [string, string][] =>
  lines.map((line) => line.split(/ {2,}/)).map(([name = '', meaning = '']) => [name, meaning]);

const overview = cli('--help');
const commands = columns(section(overview.stdout, 'Commands'));

test('the overview names commands, options, environment and exit statuses', () => {
  expect(overview).toMatchObject({ status: 0, stderr: '' });
  expect(overview.stdout).toMatch(/^usage: sentence-embedder COMMAND /);
  expect(commands.length).toBeGreaterThan(6);
  expect(overview.stdout).toMatch(/^Download, prepare and benchmark .* index and search /m);
  expect(columns(section(overview.stdout, 'Options')).map(([name]) => name)).toEqual(['-h, --help', '--version']);
  expect(columns(section(overview.stdout, 'Exit status')).map(([name]) => name)).toEqual(['0', '1', '2', '130']);
  // The README has the same variables, which win over nothing here.
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const variables = columns(section(overview.stdout, 'Environment')).flatMap(([names]) => names.split(', '));
  for (const name of variables) expect(readme).toContain(name);
  expect(cli().stdout).toBe(overview.stdout);
});

describe.each(commands)('%s', (name, summary) => {
  const { status, stdout } = cli(name, '--help');
  const options = columns(section(stdout, 'Arguments and options'));

  test('usage, what it does, options, examples, exit statuses', () => {
    expect(status).toBe(0);
    const [usage = '', , sentence = ''] = stdout.split('\n');
    expect(usage.startsWith(`usage: sentence-embedder ${name} `)).toBe(true);
    expect(sentence.toLowerCase()).toBe(`${summary.toLowerCase()}.`);
    for (const [option, meaning] of options) expect(`${option}: ${meaning}`).toMatch(/^[-A-Z].*: \S/);
    expect(options.at(-1)?.[0]).toBe('-h, --help');
    expect(columns(section(stdout, 'Exit status')).map(([code]) => code)).toEqual(
      expect.arrayContaining(['0', '1', '2', '130']),
    );
    expect(cli('help', name).stdout).toBe(stdout);
  });

  test('it understands all of that', () => {
    const all = options.flatMap(([option]) =>
      option.startsWith('--') ? option.replace(/ \S+$/, ' 1').split(' ') : [],
    );
    expect(cli(name, ...all, '--help')).toMatchObject({ status: 0, stderr: '' });
    const examples = section(stdout, 'Examples');
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const [npx, program, ...words] = (example.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ''));
      expect([npx, program, words[0]]).toEqual(['npx', 'sentence-embedder', name]);
      expect(cli(...words, '--help')).toMatchObject({ status: 0, stderr: '' });
    }
  });
});

test('the version is the package’s', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(cli('--version').stdout).toBe(`${version}\n`);
});

test.each([
  [['pul'], 'Unknown command pul. Did you mean pull?'],
  [['hlep'], 'Unknown command hlep. Run "sentence-embedder --help" for a list'],
  [['help', 'dcotor'], 'Did you mean doctor?'],
  [['bench', '--thraeds', '2'], 'Unknown option --thraeds. Did you mean --threads?'],
  [['index', '.', '--db', ''], 'Expected a value for --db but received an empty string'],
  [['prepare', 'a/b', '--out='], 'Expected a value for --out but received an empty string'],
  [['index', '', '--db', 'x'], 'Expected no empty arguments for index'],
  [['rm', 'a/b', ''], 'Expected no empty arguments for rm'],
  [['models', '--xyz'], 'Unknown option --xyz.\nusage: sentence-embedder models'],
])('%j: %s', (words, sentence) => {
  const { status, stderr } = cli(...words);
  expect(status).toBe(2);
  expect(stderr).toContain(sentence);
});
