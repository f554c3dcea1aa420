// How many cases fast-check makes up. `npm test` tries the same ones each time, so that a failure is of what has changed;
// HOSTILE_CASES=300000 npm run test:node -- hostile tries so many others.

const given = process.env['HOSTILE_CASES'];

/** A share of all cases. */
export function cases(share: number): { numRuns: number; seed?: number } {
  return given === undefined
    ? { numRuns: Math.ceil(1500 * share), seed: 20_261_127 }
    : { numRuns: Math.ceil(Number(given) * share) };
}
