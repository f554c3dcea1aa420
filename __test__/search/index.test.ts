// `index` keeps an index and a folder alike, whatever is in the folder and wherever it is interrupted.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join, relative } from 'node:path';
import { Embedder } from 'sentence-embedder';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { miniLM } from '../support/models';
import { ROOT, runNode } from '../support/processes';
import { indexFolder, rowsOf, search, startIndexing, until, versionsOf, writeFiles } from './support';

const model = modelFolder('bert');
const parent = temporaryFolder();
const at = (...names: string[]): string => join(parent, ...names);

const pathsIn = async (database: string): Promise<string[]> => [
  ...new Set((await rowsOf(database)).map(({ path }) => path)),
];

test('what is no text is left out and told, and nothing of it is fatal', async () => {
  const folder = at('odd');
  writeFiles(folder, {
    'good.md': '# One\n\nA text.\n',
    "it's.TXT": 'With a quote in its name.',
    'deep/er/still.markdown': 'Deep.',
    'bom.txt': '\uFEFFWith a mark.',
    'empty.md': '',
    'blank.txt': ' \n\t\n',
    'binary.txt': Buffer.from([65, 0, 66]),
    'latin1.txt': Buffer.from([0x63, 0x61, 0x66, 0xe9]),
    'huge.txt': 'x',
    'picture.png': 'x',
    'code.js': 'x',
    '.hidden.md': 'x',
    '.git/config.txt': 'x',
    'node_modules/a/README.md': 'x',
  });
  truncateSync(join(folder, 'huge.txt'), 10_000_001);
  symlinkSync(folder, join(folder, 'deep', 'circle'));
  symlinkSync(join(folder, 'good.md'), join(folder, 'link.md'));
  // An index within the folder is not indexed.
  const database = join(folder, 'index');
  const { status, stdout, stderr } = indexFolder(folder, database, model);
  expect(stdout).toContain('4 files: 4 added, 0 changed, 0 removed, 0 unchanged\n');
  expect(status).toBe(0);
  const said = stderr.replaceAll(folder, '').replaceAll('\\', '/').trim().split('\n').sort();
  expect(said.filter((line) => !line.startsWith('Preparing'))).toEqual([
    'Skipped /binary.txt: binary',
    'Skipped /blank.txt: empty',
    'Skipped /deep/circle: a symbolic link',
    'Skipped /empty.md: empty',
    'Skipped /huge.txt: larger than 10 MB',
    'Skipped /latin1.txt: not UTF-8',
    'Skipped /link.md: a symbolic link',
    'Skipped 2 files of other types: .js 1, .png 1',
  ]);
  expect((await rowsOf(database)).map(({ text }) => text).sort()).toEqual(
    ['# One\n\nA text.', 'Deep.', 'With a mark.', 'With a quote in its name.'].sort(),
  );
  expect(indexFolder(folder, database, model).stdout).toContain('4 unchanged\n0 passages');
});

test('lines may end in any way, and nothing in a text steers the terminal', async () => {
  const [folder, database] = [at('raw'), at('raw.index')];
  const lines = ['# One', '', 'A \u001b[31mtext\u009b0m\twith\u0007.', '', '# Two', '', 'More.', ''];
  writeFiles(folder, { 'a.md': lines.join('\n'), 'b.md': lines.join('\r'), 'c.md': lines.join('\r\n') });
  indexFolder(folder, database, model);
  expect((await rowsOf(database)).map(({ line }) => line)).toEqual([1, 5, 1, 5, 1, 5]);
  const { stdout } = search('A text?', database, model, '--limit', '6');
  // eslint-disable-next-line no-control-regex -- what is not to be there
  expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  expect(stdout.split('    # One\n    \n    A \uFFFD[31mtext\uFFFD0m\twith\uFFFD.\n\n')).toHaveLength(4);
});

// Windows has no such permissions.
(process.platform === 'win32' ? test.skip : test)('of what cannot be read, what was indexed stays', async () => {
  const [folder, database] = [at('closed'), at('closed.index')];
  writeFiles(folder, { 'a.md': 'A.', 'b.md': 'B.', 'sub/c.md': 'C.', 'sub2/d.md': 'D.' });
  chmodSync(parent, 0o777);
  // Nothing is closed to root.
  const asOther = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const cli = join(ROOT, 'dist', 'cli.js');
  const index = (): ReturnType<typeof runNode> =>
    runNode([cli, 'index', folder, '--db', database, '--model', model, '--cache-dir', at('cache')], asOther);
  expect(index()).toMatchObject({ status: 0, stdout: expect.stringContaining('4 added') as string });
  chmodSync(join(folder, 'a.md'), 0);
  chmodSync(join(folder, 'sub'), 0);
  rmSync(join(folder, 'sub2'), { recursive: true });
  try {
    const { status, stdout, stderr } = index();
    expect(stderr).toContain(`Skipped ${join(folder, 'a.md')}: cannot be read (EACCES)`);
    expect(stderr).toContain(`Skipped ${join(folder, 'sub')}: cannot be read (EACCES)`);
    expect(stdout).toContain('1 file: 0 added, 0 changed, 1 removed, 1 unchanged\n');
    expect(status).toBe(0);
  } finally {
    chmodSync(join(folder, 'sub'), 0o755);
  }
  expect((await pathsIn(database)).map((path) => path.slice(folder.length))).toEqual(['/a.md', '/b.md', '/sub/c.md']);
});

test('a folder is the same in another case where case makes no difference', async () => {
  const [folder, other, database] = [at('cased'), at('CASED'), at('cased.index')];
  writeFiles(folder, { 'a.md': 'A.' });
  const isSame = existsSync(other);
  writeFiles(other, { 'a.md': 'A.' });
  indexFolder(folder, database, model);
  expect(indexFolder(other, database, model).stdout).toContain(isSame ? '1 unchanged' : '1 added');
  expect(await pathsIn(database)).toHaveLength(isSame ? 1 : 2);
});

// Windows has no such permissions.
(process.platform === 'win32' ? test.skip : test)('a folder that cannot be listed is an error', () => {
  const folder = at('unlisted');
  writeFiles(folder, { 'a.md': 'A.' });
  chmodSync(parent, 0o777);
  chmodSync(folder, 0o300);
  const asOther = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const cli = join(ROOT, 'dist', 'cli.js');
  const args = [cli, 'index', folder, '--db', at('unlisted.index'), '--model', model, '--cache-dir', at('cache')];
  const { status, stderr } = runNode(args, asOther);
  chmodSync(folder, 0o755);
  expect(stderr).toContain(`FOLDER ${folder} cannot be read (EACCES)`);
  expect(status).toBe(1);
});

test('what was indexed of a hidden folder by itself stays', async () => {
  const [folder, database] = [at('open'), at('open.index')];
  writeFiles(folder, { 'a.md': 'A.', '.hidden/b.md': 'B.', 'node_modules/c.md': 'C.' });
  indexFolder(join(folder, '.hidden'), database, model);
  indexFolder(join(folder, 'node_modules'), database, model);
  expect(indexFolder(folder, database, model).stdout).toContain('1 added, 0 changed, 0 removed');
  expect((await pathsIn(database)).map((path) => path.slice(folder.length))).toEqual([
    '/.hidden/b.md',
    '/a.md',
    '/node_modules/c.md',
  ]);
});

test('a folder is the same by every link that leads to it, and so is the index', async () => {
  const [folder, link, database] = [at('itself'), at('link'), at('itself', 'index')];
  writeFiles(folder, { 'a.md': 'A.' });
  symlinkSync(folder, link, 'junction');
  indexFolder(folder, database, model);
  expect(indexFolder(link, join(link, 'index'), model)).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('1 unchanged\n0 passages') as string,
    // Nor is anything said of the files in the index.
    stderr: '',
  });
  expect(await pathsIn(database)).toEqual([join(folder, 'a.md')]);
});

test('an index holds several folders, and a run changes the rows of its own alone', async () => {
  const database = at('two.index');
  writeFiles(at('two'), { 'one.md': 'One.', 'two.md': 'Two.' });
  writeFiles(at('two-more'), { 'three.md': 'Three.' });
  indexFolder(at('two'), database, model);
  indexFolder(at('two-more'), database, model);
  expect(await pathsIn(database)).toHaveLength(3);
  rmSync(at('two', 'one.md'));
  renameSync(at('two', 'two.md'), at('two', 'four.md'));
  expect(indexFolder(at('two'), database, model).stdout).toContain('1 added, 0 changed, 2 removed, 0 unchanged');
  expect(await pathsIn(database)).toEqual([at('two-more', 'three.md'), at('two', 'four.md')]);
});

test('passages fit the model, begin with the end of the one before, and leave nothing out', async () => {
  const [folder, database] = [at('long'), at('long.index')];
  const sentences = Array.from({ length: 200 }, (_, i) => `Sentence ${String(i)} of the\ntext.`);
  // Too long and without an end: words, and characters that are a token each and two units of UTF-16.
  const numbers = Array.from({ length: 601 }, (_, i) => i);
  const words = numbers.map((i) => `word${String(i)}`).join(' ');
  const endless = `${words}\n\n${String.fromCodePoint(...numbers.map((i) => 0x20000 + i))}`;
  const text = `${sentences.join(' ')}\n\n# Section\n\n${'x'.repeat(3000)} 😀😀\n\n# Endless\n\n${endless}\n`;
  writeFiles(folder, { 'long.md': text });
  const real = miniLM();
  indexFolder(folder, database, real);
  const rows = await rowsOf(database);
  const embedder = await Embedder.load({ model: real });
  const counts = await embedder.countTokens(rows.map((row) => row.text));
  const { maxTokens } = embedder.info;
  await embedder.close();
  expect(Math.max(...counts)).toBeLessThanOrEqual(maxTokens);

  let covered = 0;
  let overlaps = 0;
  const lines = text.split('\n');
  for (const row of rows) {
    const start = text.indexOf(row.text);
    expect(start).toBeGreaterThanOrEqual(0);
    expect(lines[row.line - 1]).toContain(row.text.split('\n', 1)[0] ?? 'nothing');
    if (start > covered) expect(text.slice(covered, start).trim()).toBe('');
    if (start < covered) overlaps += 1;
    if (row.text.startsWith('Sentence')) expect(row.text).toMatch(/text\.$/);
    if (row.text.startsWith('word')) expect(words.split(' ')).toContain(row.text.split(' ').at(-1));
    covered = Math.max(covered, start + row.text.length);
  }
  expect(text.slice(covered).trim()).toBe('');
  expect(overlaps).toBeGreaterThan(0);
  expect(rows.some((row) => row.text.startsWith('# Section'))).toBe(true);
});

test('of many files that are left out the first are named, and with --verbose every one', () => {
  const [folder, database] = [at('empties'), at('empties.index')];
  writeFiles(folder, Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${String(i)}.md`, ''])));
  const named = (stderr: string): number => stderr.split('\n').filter((line) => line.endsWith('.md: empty')).length;
  const short = indexFolder(folder, database, model).stderr;
  expect(named(short)).toBe(50);
  expect(short).toContain('Skipped 10 more files: --verbose lists them all\n');
  const whole = indexFolder(folder, database, model, '--verbose').stderr;
  expect(named(whole)).toBe(60);
  expect(whole).not.toContain('more files');
});

test('an index without passages is told', () => {
  const [folder, database] = [at('nothing'), at('nothing.index')];
  writeFiles(folder, { 'a.md': '' });
  indexFolder(folder, database, model);
  expect(search('A?', database, model)).toMatchObject({
    status: 0,
    stdout: '',
    stderr: `The index in ${database} is empty\n`,
  });
  const { stdout, stderr } = search('A?', database, model, '--json');
  expect(JSON.parse(stdout)).toMatchObject({ results: [] });
  expect(stderr).toBe('');
});

// A pipe of Windows does not tell the writer in the same way.
(process.platform === 'win32' ? test.skip : test)('nobody need read what is left out', async () => {
  const [folder, database] = [at('unread'), at('unread.index')];
  writeFiles(folder, { 'a.md': 'A.', 'empty.md': '' });
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'exit');
  child.stderr.destroy();
  expect(await ended).toEqual([0, null]);
  expect(await rowsOf(database)).toHaveLength(1);
});

// Windows cannot send the signal to another process.
(process.platform === 'win32' ? test.skip : test)('Ctrl-C leaves whole files, and the next run goes on', async () => {
  const folder = at('many');
  const files = Array.from({ length: 1500 }, (_, i): [string, string] => {
    const sections = [1, 2, 3].map((section) => `# Section ${String(section)} of ${String(i)}\n\nText ${String(i)}.\n`);
    return [`${String(i % 10)}/${String(i)}.md`, sections.join('\n')];
  });
  writeFiles(folder, Object.fromEntries(files));
  expect(indexFolder(folder, at('whole.index'), model)).toMatchObject({ status: 0 });

  const database = at('cut.index');
  const child = startIndexing(folder, database, model);
  const ended = once(child, 'exit');
  await until(child, () => versionsOf(database) > 2);
  child.kill('SIGINT');
  expect(await ended).toEqual([130, null]);

  const kept = await rowsOf(database);
  const parts = new Map<string, number>();
  for (const { path } of kept) parts.set(path, (parts.get(path) ?? 0) + 1);
  expect(new Set(parts.values())).toEqual(new Set([3]));
  expect(parts.size).toBeLessThan(1500);

  const { stdout } = indexFolder(folder, database, model);
  expect(stdout).toContain(`${String(1500 - parts.size)} added, 0 changed, 0 removed, ${String(parts.size)} unchanged`);
  expect(await rowsOf(database)).toEqual(await rowsOf(at('whole.index')));
});

// Nor this one.
(process.platform === 'win32' ? test.skip : test)('SIGTERM leaves a terminal with its cursor', async () => {
  // As on a terminal: the bar asks for no more than this.
  const terminal = '--import=data:text/javascript,process.stderr.isTTY=true';
  const child = startIndexing(at('many'), at('terminal.index'), model, terminal);
  const ended = once(child, 'close');
  let drawn = '';
  child.stderr.on('data', (data) => (drawn += String(data)));
  await until(child, () => drawn.includes('\u001b[?25l'));
  child.kill('SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
  expect(drawn.lastIndexOf('\u001b[?25h')).toBeGreaterThan(drawn.lastIndexOf('\u001b[?25l'));
  expect(drawn.lastIndexOf('\u001b[?7h')).toBeGreaterThan(drawn.lastIndexOf('\u001b[?7l'));
});

test('later commands need not name the model, wherever they are given', () => {
  const [folder, database] = [at('named'), at('named.index')];
  const command = (...words: string[]): string[] => [join(ROOT, 'dist', 'cli.js'), ...words, '--db', database];
  writeFiles(folder, { 'a.md': 'A.' });
  expect(runNode(command('index', folder, '--model', relative(ROOT, model)), { cwd: ROOT })).toMatchObject({
    status: 0,
  });
  const elsewhere = { cwd: folder };
  expect(runNode(command('index', folder, '--offline'), elsewhere).stdout).toContain('1 unchanged\n0 passages');
  expect(runNode(command('search', 'A?', '--offline'), elsewhere).stdout).toContain('a.md:1');
  // What was kept may be gone: then it is as if nothing had been named.
  rmSync(join(database, '.model.json'));
  expect(runNode(command('search', 'A?', '--offline', '--cache-dir', folder), elsewhere).stderr).toContain(
    'ERR_EMBED_OFFLINE',
  );
});

test('where models are kept is not recorded, as the help says', () => {
  const [folder, database] = [at('cached'), at('cached.index')];
  writeFiles(folder, { 'a.md': 'A.' });
  expect(indexFolder(folder, database, model, '--cache-dir', at('cache'))).toMatchObject({ status: 0 });
  expect(readFileSync(join(database, '.model.json'), 'utf8')).not.toContain('cache');
  expect(runNode([join(ROOT, 'dist', 'cli.js'), 'index', '--help']).stdout).toContain('does not record --cache-dir');
});

test('what was kept and cannot be read is not the default model; naming the model mends it', () => {
  const [folder, database] = [at('kept'), at('kept.index')];
  const command = (...words: string[]): string[] => [join(ROOT, 'dist', 'cli.js'), ...words, '--db', database];
  writeFiles(folder, { 'a.md': 'A.' });
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  for (const kept of ['', 'null']) {
    writeFiles(database, { '.model.json': kept });
    const { status, stderr } = runNode(command('search', 'A?', '--offline'));
    expect(stderr).toContain('name it with --model');
    expect(status).toBe(2);
  }
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  expect(runNode(command('search', 'A?', '--offline')).stdout).toContain('a.md:1');
});

test('how the model was named is written only when it has changed, and replaced at once', () => {
  const [folder, database] = [at('renamed'), at('renamed.index')];
  writeFiles(folder, { 'a.md': 'A.' });
  const kept = (...more: string[]): { ino: bigint; mtimeNs: bigint } => {
    expect(indexFolder(folder, database, model, ...more)).toMatchObject({ status: 0 });
    const { ino, mtimeNs } = statSync(join(database, '.model.json'), { bigint: true });
    return { ino, mtimeNs };
  };
  const first = kept();
  expect(kept()).toEqual(first);
  // Another file and not other content in the same one, which a reader could see half written.
  expect(kept('--precision', 'fp32').ino).not.toBe(first.ino);
  expect(readdirSync(database).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('an index that is damaged is told, with what to do', () => {
  const [folder, database] = [at('damaged'), at('damaged.index')];
  writeFiles(folder, { 'a.md': 'A.' });
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  const table = join(database, 'passages.lance');
  for (const part of ['data', '_versions']) {
    rmSync(join(table, part), { recursive: true });
    for (const outcome of [search('A?', database, model), indexFolder(folder, database, model)]) {
      expect(outcome.stderr).toContain('ERR_EMBED_INVALID_ARGUMENT: Expected an index that can be read for --db');
      // A sound index that is only closed to the reader fails alike, and must not be given up.
      expect(outcome.stderr).toContain('if it is damaged, delete it and run "index" again');
      expect(outcome.status).toBe(2);
    }
  }
});

(process.platform === 'linux' ? test : test.skip)(
  'names that are not UTF-8 are told, and none is indexed twice',
  () => {
    const [folder, database] = [at('latin'), at('latin.index')];
    writeFiles(folder, { 'a\uFFFD.md': 'A.' });
    for (const name of ['a\xff.md', 'caf\xe9.md']) {
      writeFileSync(Buffer.from(join(folder, name), 'latin1'), 'Of this name.');
    }
    const first = indexFolder(folder, database, model);
    expect(first.stderr).toContain('its name is not UTF-8');
    expect(first.stdout).toContain('1 added, 0 changed, 0 removed, 0 unchanged');
    expect(indexFolder(folder, database, model).stdout).toContain('0 added, 0 changed, 0 removed, 1 unchanged');
  },
);

(process.platform === 'linux' ? test : test.skip)('a full disk behind stdout is one line and exit status 1', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'dist', 'cli.js'), '--help'], {
    encoding: 'utf8',
    stdio: ['ignore', full, 'pipe'],
  });
  closeSync(full);
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'Cannot write to stdout: ENOSPC: no space left on device, write\n',
  });
});

test('an index of another model is refused and stays as it is, unless it is empty', async () => {
  const [folder, database, other] = [at('mine'), at('mine.index'), modelFolder('mpnet')];
  writeFiles(folder, { 'a.md': '' });
  expect(indexFolder(folder, database, other)).toMatchObject({ status: 0 });
  writeFiles(folder, { 'a.md': 'A.' });
  expect(indexFolder(folder, database, model)).toMatchObject({ status: 0 });
  const before = await rowsOf(database);
  for (const refused of [indexFolder(folder, database, other), search('A?', database, other)]) {
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(/ERR_EMBED_INVALID_ARGUMENT: .* is not\. The index was made with bert/);
  }
  expect(await rowsOf(database)).toEqual(before);
  rmSync(join(database, '.embedding-stamp.json'));
  const unknown = indexFolder(folder, database, model);
  expect(unknown.stderr).toContain('says which model it was made with');
  expect(unknown.status).toBe(2);
});

test.each([
  [['index', '--db', 'x'], 'Missing FOLDER'],
  [['index', '.'], 'Missing --db PATH'],
  [['index', './nowhere', '--db', 'x'], 'Expected an existing folder'],
  [['index', 'package.json', '--db', 'x'], 'Expected an existing folder'],
  [['search', '--db', 'x'], 'Missing QUESTION'],
  [['search', ' ', '--db', 'x'], 'Missing QUESTION'],
  [['search', 'a'], 'Missing --db PATH'],
  [['search', 'a', '--db', 'x', '--limit', '0'], '--limit'],
  [['search', 'a', '--db', './nowhere'], 'has none: make one with'],
])('%j is refused', (words, sentence) => {
  const { status, stderr } = runNode([join(ROOT, 'dist', 'cli.js'), ...words]);
  expect(stderr).toContain(sentence);
  expect(status).toBe(2);
  expect(existsSync(join(ROOT, 'nowhere'))).toBe(false);
});

test('a folder that is no index is refused before a model is loaded, and stays as it is', () => {
  const notes = at('notes');
  writeFiles(notes, { 'a.md': 'A.' });
  const { status, stderr } = search('A?', notes, 'nowhere/at/all', '--offline');
  expect(stderr).toMatch(/^ERR_EMBED_INVALID_ARGUMENT: .* has none: make one with /);
  expect(status).toBe(2);
  expect(readdirSync(notes)).toEqual(['a.md']);
});

test('without LanceDB both say how to install it, before a model is loaded', () => {
  const app = at('app');
  writeFiles(app, { 'package.json': '{}', 'notes/a.md': 'A.' });
  writeFileSync(join(app, 'cli.js'), runNode(['-p', `fs.readFileSync('dist/cli.js', 'utf8')`]).stdout);
  for (const words of [
    ['index', 'notes', '--db', 'x'],
    ['search', 'a', '--db', 'x'],
  ]) {
    const { status, stderr } = runNode(['cli.js', ...words, '--model', 'nowhere/at/all', '--offline'], { cwd: app });
    expect(stderr).toMatch(/^ERR_EMBED_RUNTIME_NOT_FOUND: .*npm install @lancedb\/lancedb/);
    expect(status).toBe(1);
  }
});
