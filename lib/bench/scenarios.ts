/** Which combinations of text size, batch size and callers are measured. */

/** One row of the result. */
export interface Scenario {
  /** `serial` rows show text size and batch size, `concurrent` rows show how more callers at once scale. */
  readonly kind: 'serial' | 'concurrent';
  /** Characters a text. */
  readonly textSize: number;
  /** Texts a call. */
  readonly batchSize: number;
  /** Calls at once. */
  readonly callers: number;
  /** Calls that are measured, of each caller. */
  readonly iterations: number;
  /** Calls before them that are not. */
  readonly warmUps: number;
}

export interface Extent {
  readonly sizes: readonly number[];
  readonly batches: readonly number[];
  /** Text size and batch size of the concurrent rows. */
  readonly concurrent: readonly (readonly [textSize: number, batchSize: number])[];
  readonly maxConcurrency: number;
  readonly iterations: number;
  readonly warmUps: number;
}

/** What is measured unless told otherwise. */
export const THOROUGH: Extent = {
  sizes: [500, 1000, 2000, 5000, 10_000],
  batches: [1, 5, 10, 20, 32, 64],
  concurrent: [
    [1000, 32],
    [2000, 32],
    [5000, 16],
  ],
  maxConcurrency: 5,
  iterations: 10,
  warmUps: 5,
};

/** What `--quick` measures. */
export const QUICK: Extent = {
  sizes: [500, 1000],
  batches: [1, 10, 32],
  concurrent: [[1000, 32]],
  maxConcurrency: 2,
  iterations: 3,
  warmUps: 1,
};

/** The most that can be wished for: far more than tells anything, and less than ends the process for want of memory. */
export const MOST = { textSize: 100_000, batchSize: 1000, maxConcurrency: 1000, iterations: 10_000 };

/** What overrules an extent. */
export interface Wishes {
  readonly sizes?: readonly number[] | undefined;
  readonly batches?: readonly number[] | undefined;
  readonly maxConcurrency?: number | undefined;
  readonly iterations?: number | undefined;
}

/** `2 callers, 32 texts of 1,000 characters`: a row as people read it. */
export function scenarioName({ callers, batchSize, textSize }: Scenario): string {
  const count = (number: number, thing: string): string =>
    `${number.toLocaleString('en-US')} ${thing}${number === 1 ? '' : 's'}`;
  return `${count(callers, 'caller')}, ${count(batchSize, 'text')} of ${count(textSize, 'character')}`;
}

/** Every row, in the order in which it is measured. */
export function planScenarios(extent: Extent, wishes: Wishes = {}): Scenario[] {
  const iterations = wishes.iterations ?? extent.iterations;
  const { warmUps } = extent;
  const serial = (wishes.sizes ?? extent.sizes).flatMap((textSize) =>
    (wishes.batches ?? extent.batches).map((batchSize): Scenario => ({
      kind: 'serial',
      textSize,
      batchSize,
      callers: 1,
      iterations,
      warmUps,
    })),
  );
  const callers = Array.from({ length: wishes.maxConcurrency ?? extent.maxConcurrency }, (_, at) => at + 1);
  const concurrent = extent.concurrent.flatMap(([textSize, batchSize]) =>
    callers.map((count): Scenario => ({
      kind: 'concurrent',
      textSize,
      batchSize,
      callers: count,
      iterations,
      warmUps,
    })),
  );
  return [...serial, ...concurrent];
}
