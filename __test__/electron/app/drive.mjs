// Drives the packaged example app as a person would and prints what was seen as JSON: node drive.mjs CONFIG
// A program of its own, so that it can run as another user and without a network.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { _electron } from 'playwright-core';

const { executable, flags, sandbox, many, notes, screenshot, home } = JSON.parse(process.argv[2] ?? '{}');

const app = await _electron.launch({
  executablePath: executable,
  chromiumSandbox: sandbox,
  timeout: 60_000,
  args: [...flags, `--user-data-dir=${String(home)}`],
  env: /** @type {Record<string, string>} */ ({ ...process.env, HOME: home, TMPDIR: home }),
});
const page = await app.firstWindow();
/** @type {string[]} */
const requests = [];
app.context().on('request', (request) => requests.push(new URL(request.url()).protocol));

await page.locator('#choose:enabled, .bad').waitFor();
if (await page.locator('.bad').count()) throw new Error(await page.locator('.bad').innerText());

const reach = await page.evaluate(() => ({
  require: typeof globalThis.require,
  process: typeof globalThis.process,
  engine: Object.keys(/** @type {any} */ (globalThis).engine).sort(),
}));
const renderer = await app.evaluate(({ app }) => app.getAppMetrics().find(({ type }) => type === 'Tab')?.pid ?? 0);
/** On Linux a sandboxed process has a filter of system calls. */
const sandboxed =
  process.platform === 'linux'
    ? /^Seccomp:\s+2$/m.test(readFileSync(`/proc/${String(renderer)}/status`, 'utf8'))
    : undefined;

/** @param {string} folder */
async function choose(folder) {
  await app.evaluate(({ dialog }, path) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [path] });
  }, folder);
  await page.locator('#choose').click();
}
/** @param {string} state */
const reached = (state) => page.locator(`body[data-state=${state}]`).waitFor();
const passages = async () =>
  Number(/([\d,]+) passages?/.exec(await page.locator('#figures').innerText())?.[1]?.replace(',', ''));
/** @param {number} count */
const indexed = async (count) => {
  while ((await passages()) < count) await page.waitForTimeout(20);
};

// How long the window, and the main process, were at most deaf while a folder was indexed and searched.
const watch = () => {
  let last = performance.now();
  const seen = { longest: 0 };
  setInterval(() => {
    seen.longest = Math.max(seen.longest, performance.now() - last - 10);
    last = performance.now();
  }, 10);
  /** @type {any} */ (globalThis).stalls = seen;
};
await page.evaluate(watch);
await app.evaluate(watch);

await choose(many);
await reached('indexing');
await indexed(64);
await page.locator('#query').pressSequentially('why does bread get bigger', { delay: 40 });
await page.locator('article').first().waitFor();
const whileIndexing = {
  state: await page.locator('body').getAttribute('data-state'),
  milliseconds: Number.parseInt(await page.locator('#took').innerText()),
};

await page.locator('#pause').click();
await reached('paused');
await page.waitForTimeout(300); // the call that was under way
const paused = [await passages()];
await page.waitForTimeout(1000);
paused.push(await passages());
await page.locator('#pause').click();
await reached('indexing');
await indexed((paused[1] ?? 0) + 32);
await page.locator('#cancel').click();
await reached('cancelled');
const stalls = {
  window: await page.evaluate(() => /** @type {any} */ (globalThis).stalls.longest),
  main: await app.evaluate(() => /** @type {any} */ (globalThis).stalls.longest),
};

await page.locator('#query').fill('');
await choose(notes);
await reached('done');
await page.locator('#query').pressSequentially('why does bread get bigger?', { delay: 30 });
await page.waitForTimeout(1500);
const first = await page.locator('article').first().innerText();
if (screenshot) await page.screenshot({ path: screenshot });

await choose(many);
await reached('indexing');
await indexed(64);
const child = app.process();
const ended = once(child, 'exit');
await app.close();
const networks = Object.keys(networkInterfaces());
const user = process.getuid?.();
console.log(
  JSON.stringify({
    reach,
    sandboxed,
    whileIndexing,
    paused,
    stalls,
    first,
    ended: await ended,
    requests,
    networks,
    user,
  }),
);
