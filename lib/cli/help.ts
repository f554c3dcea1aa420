/** What `--help` prints, and which word was meant by one that does not exist. */

import type { Command } from './command.js';
import { table } from './format.js';

export const NAME = 'sentence-embedder';

const HELP = '-h, --help  Print help';

const EXIT_STATUS: readonly string[] = [
  '0  success',
  '1  failure',
  '2  invalid command, option or argument',
  '130  interrupted with Ctrl-C',
];

const ENVIRONMENT: readonly string[] = [
  'HF_HUB_CACHE, HF_HOME  Where models are kept (default: ~/.cache/huggingface/hub)',
  'HF_HUB_OFFLINE  Set to 1 to download nothing',
  'HF_ENDPOINT  Another hub, such as a mirror',
  'HF_TOKEN  Token for private models; sent to the hub only',
  'HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY  Proxy settings for the hub',
  "SSL_CERT_FILE, SSL_CERT_DIR  On Linux, trusted certificate authorities (default: the system's)",
  'ORT_DYLIB_PATH  Absolute path of another ONNX Runtime library',
];

/** The help of the whole. */
export function overview(commands: readonly Command[]): string[] {
  return [
    `usage: ${NAME} COMMAND [ARGUMENTS] [OPTIONS]`,
    '',
    'Download, prepare and benchmark sentence-embedding models; index and search texts with them.',
    ...section('Commands', aligned(commands.map(({ name, summary }) => `${name}  ${summary}`))),
    ...section('Options', aligned([HELP, '--version  Print the version'])),
    ...section('Environment', aligned(ENVIRONMENT)),
    ...section('Exit status', aligned(EXIT_STATUS)),
    '',
    `Run "${NAME} COMMAND --help" for help on a command.`,
  ];
}

/** The help of one command. */
export function helpOf({ name, usage, summary, details, notes = [], examples = [], statuses = [] }: Command): string[] {
  return [
    usageOf({ name, usage }),
    '',
    `${summary}.`,
    ...section('Arguments and options', aligned([...details, HELP])),
    ...(notes.length > 0 ? ['', ...notes] : []),
    ...section(
      'Examples',
      examples.map((example) => `npx ${NAME} ${name} ${example}`.trimEnd()),
    ),
    ...section('Exit status', aligned([...EXIT_STATUS.slice(0, -1), ...statuses, ...EXIT_STATUS.slice(-1)])),
    '',
    `Run "${NAME} --help" to list environment variables.`,
  ];
}

/** The line that says how a command is called. */
export const usageOf = ({ name, usage }: Pick<Command, 'name' | 'usage'>): string => `usage: ${NAME} ${name} ${usage}`;

/** ` Did you mean …?` with the word that is nearest to the one given, or nothing where none is near. */
export function suggestion(given: string, words: readonly string[], prefix = ''): string {
  const nearest = words
    .map((word) => ({ word, steps: distance(given, word) }))
    .filter(({ word, steps }) => steps <= Math.ceil(word.length / 3))
    .sort((a, b) => a.steps - b.steps)[0];
  return nearest ? ` Did you mean ${prefix}${nearest.word}?` : '';
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`.trimEnd())];
}

/** Lines whose first two spaces or more stand between two columns; others are left as they are. */
function aligned(lines: readonly string[]): string[] {
  const split = lines.map((line) => /^(\S.*?) {2,}(.*)$/.exec(line)?.slice(1));
  const rows = table(split.filter((columns) => columns !== undefined));
  return lines.map((line, i) => (split[i] ? (rows.shift() ?? '') : line));
}

/** Letters to put in, take out, replace or swap with their neighbour until one word is the other. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i || j));
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Infinity;
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i]?.splice(j, 1, Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped));
    }
  }
  return at(a.length, b.length);
}
