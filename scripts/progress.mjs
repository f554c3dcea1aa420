// One line on standard error that shows what is being waited for and for how long.

/**
 * Shows `label` while `work` runs: a counting line on a terminal, one plain line elsewhere.
 * @template T
 * @param {string} label
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withProgress(label, work) {
  const terminal = process.stderr.isTTY;
  const start = performance.now();
  const seconds = () => `${String(Math.round((performance.now() - start) / 1000))} s`;
  const draw = () => process.stderr.write(`\r\x1b[2K${label} … ${seconds()}`);
  const timer = terminal ? setInterval(draw, 250) : undefined;
  if (terminal) draw();
  else process.stderr.write(`${label} …\n`);
  try {
    const result = await work();
    process.stderr.write(`${terminal ? '\r\x1b[2K' : ''}${label}: done in ${seconds()}\n`);
    return result;
  } catch (error) {
    if (terminal) process.stderr.write('\n');
    throw error;
  } finally {
    clearInterval(timer);
  }
}
