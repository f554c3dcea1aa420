/** A time limit that does not count what has arrived in time as late. */

/** How long before the end of a limit this process begins to look whether the answer has arrived. */
const READING_MS = 1000;

/**
 * Calls `passed` after `milliseconds`, and returns what prevents that. After this thread was blocked, Node runs the timers that
 * are due before it reads what has arrived meanwhile. Hence two timers: between them it reads.
 */
export function limit(milliseconds: number, passed: () => void): () => void {
  const reading = Math.min(READING_MS, milliseconds / 2);
  let timer = setTimeout(() => {
    timer = setTimeout(passed, reading);
  }, milliseconds - reading);
  return () => {
    clearTimeout(timer);
  };
}
