/** The contract of IEmbedder as a test suite for jest and vitest. */

import type { IEmbedder } from '../dropin/iembedder.js';

/** Options of {@link describeIEmbedder}. */
export interface ContractOptions {
  /**
   * The name of the suite.
   * @defaultValue `'IEmbedder'`
   */
  name?: string;
  /**
   * Whether the embedder returns vectors of length 1.
   * @defaultValue `true`
   */
  normalized?: boolean;
  /**
   * The largest allowed difference in any number between two vectors of the same text.
   * @defaultValue `1e-5`
   */
  tolerance?: number;
}

/** What is used of the test runner. */
interface Runner {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
  readonly beforeEach: (body: () => Promise<void>) => void;
  readonly afterEach: (body: () => Promise<void>) => void;
  readonly expect: (value: unknown) => Matchers;
}

interface Matchers {
  toBe(value: unknown): void;
  toEqual(value: unknown): void;
  toMatch(pattern: RegExp): void;
  toMatchObject(value: unknown): void;
  toHaveLength(length: number): void;
  toBeGreaterThan(value: number): void;
  toBeLessThanOrEqual(value: number): void;
}

const TEXTS = ['The tide follows the moon.', '', 'Yeast makes the dough rise.', 'Ein Satz über Möwen', '海と月', 'a'];

/**
 * Defines a test suite for the contract of {@link IEmbedder}, using the global `describe`, `it` and `expect` of jest, or of
 * vitest with `globals: true`.
 *
 * @param factory - Creates an embedder that is not initialized; called for each test.
 */
export function describeIEmbedder(factory: () => IEmbedder | Promise<IEmbedder>, options: ContractOptions = {}): void {
  const { name = 'IEmbedder', normalized = true, tolerance = 1e-5 } = options;
  const { describe, it, beforeEach, afterEach, expect } = runner();

  const expectClose = (actual: readonly number[][], expected: readonly number[][]): void => {
    expect(actual).toHaveLength(expected.length);
    actual.forEach((vector, row) => {
      expect(vector).toHaveLength(expected[row]?.length ?? -1);
      expect(distance(vector, expected[row])).toBeLessThanOrEqual(tolerance);
    });
  };
  const rejection = async (call: Promise<unknown>): Promise<{ message: string; code?: unknown }> => {
    const outcome = await call.then(
      () => new Error('it resolved'),
      (error: unknown) => error,
    );
    expect(outcome instanceof Error).toBe(true);
    return outcome as Error;
  };

  describe(name, () => {
    let embedder: IEmbedder;

    beforeEach(async () => {
      embedder = await factory();
    });
    afterEach(async () => {
      await embedder.shutdown();
    });
    const start = async (): Promise<void> => {
      expect(await embedder.initialize()).toBe(true);
    };

    it('refuses to embed before it is initialized, and says so', async () => {
      expect(embedder.getStats().isReady).toBe(false);
      expect(await embedder.shouldRestart()).toBe(false);
      for (const texts of [['a'], []]) {
        expect((await rejection(embedder.embed(texts))).message).toMatch(/not initialized/);
        expect((await rejection(embedder.embedWithRetry(texts, 0))).message).toMatch(/not initialized/);
      }
    });

    it('is ready once it is initialized, and stays so', async () => {
      const both = await Promise.all([embedder.initialize(), embedder.initialize()]);
      expect(both).toEqual([true, true]);
      expect(await embedder.initialize()).toBe(true);
      expect(embedder.getStats().isReady).toBe(true);
    });

    it('returns no vectors for no texts', async () => {
      await start();
      expect(await embedder.embed([])).toEqual([]);
      expect(await embedder.embedWithRetry([])).toEqual([]);
    });

    it('returns one plain array of numbers per text, all of the same length', async () => {
      await start();
      const vectors = await embedder.embed(TEXTS);
      expect(vectors).toHaveLength(TEXTS.length);
      for (const vector of vectors) {
        expect(Array.isArray(vector)).toBe(true);
        expect(vector).toHaveLength(vectors[0]?.length ?? -1);
        expect(vector.length).toBeGreaterThan(0);
        expect(vector.every((value) => typeof value === 'number' && Number.isFinite(value))).toBe(true);
        if (normalized) expect(Math.abs(Math.hypot(...vector) - 1)).toBeLessThanOrEqual(1e-3);
      }
    });

    it('returns the same vector for a text whatever the other texts, and different vectors for different texts', async () => {
      await start();
      const together = await embedder.embed(TEXTS);
      for (const [i, text] of TEXTS.entries()) expectClose(await embedder.embed([text]), together.slice(i, i + 1));
      expectClose(await embedder.embed([...TEXTS].reverse()), [...together].reverse());
      expectClose(await embedder.embedWithRetry(TEXTS, 1), together);
      together.forEach((vector, i) => {
        together.slice(i + 1).forEach((other) => {
          expect(distance(vector, other)).toBeGreaterThan(tolerance);
        });
      });
    });

    it('keeps the order of many texts, in one call and in several at once', async () => {
      await start();
      const distinct = await embedder.embed(TEXTS);
      const many = Array.from({ length: 150 }, (_, i) => (i * 5 + (i >> 3)) % TEXTS.length);
      const texts = many.map((i) => TEXTS[i] ?? '');
      const expected = many.map((i) => distinct[i] ?? []);
      expectClose(await embedder.embed(texts), expected);
      const cuts = [0, 1, 40, 41, 100, 150].map((cut, i, all): [number, number] => [all[i - 1] ?? 0, cut]);
      const parts = await Promise.all(cuts.map(([from, to]) => embedder.embed(texts.slice(from, to))));
      expectClose(parts.flat(), expected);
    });

    it('rejects anything but a list of texts and keeps working', async () => {
      await start();
      for (const texts of ['text', [42], ['a', null], undefined] as unknown as string[][]) {
        expect(await rejection(embedder.embed(texts))).toMatchObject({ code: 'ERR_EMBED_INVALID_ARGUMENT' });
        expect(await rejection(embedder.embedWithRetry(texts, 3))).toMatchObject({
          code: 'ERR_EMBED_INVALID_ARGUMENT',
        });
      }
      expect(await embedder.embed(['a'])).toHaveLength(1);
    });

    it('counts successful calls', async () => {
      await start();
      expect(embedder.getStats().filesSinceSpawn).toBe(0);
      await embedder.embed(TEXTS);
      await embedder.embed(['a']);
      await rejection(embedder.embed([1] as never));
      expect(embedder.getStats().filesSinceSpawn).toBe(2);
      const { memoryUsage } = embedder.getStats();
      if (memoryUsage) for (const bytes of Object.values(memoryUsage)) expect(bytes).toBeGreaterThan(0);
    });

    it('answers calls in progress when it is restarted, and then returns the same vectors', async () => {
      await start();
      const before = await embedder.embed(TEXTS);
      const calls = [embedder.embed(TEXTS), embedder.embed([...TEXTS].reverse()), embedder.embed(['a'])];
      await embedder.restart();
      expect(embedder.getStats().isReady).toBe(true);
      const [plain = [], reversed = [], single = []] = await Promise.all(calls);
      expectClose(plain, before);
      expectClose(reversed, [...before].reverse());
      expectClose(single, before.slice(-1));
      expectClose(await embedder.embed(TEXTS), before);
    });

    it('counts from zero after a restart', async () => {
      await start();
      await embedder.embed(['a']);
      await embedder.restart();
      expect(embedder.getStats().filesSinceSpawn).toBe(0);
    });

    it('answers calls in progress when it is shut down, and then rejects', async () => {
      await start();
      const calls = [embedder.embed(TEXTS), embedder.embed(['a'])];
      await embedder.shutdown();
      const [many, one] = await Promise.all(calls);
      expect(many).toHaveLength(TEXTS.length);
      expect(one).toHaveLength(1);
      expect(embedder.getStats().isReady).toBe(false);
      expect((await rejection(embedder.embed(['a']))).message).toMatch(/not initialized/);
      await embedder.shutdown();
    });

    it('can be initialized again after a shutdown', async () => {
      await start();
      const before = await embedder.embed(['a']);
      await embedder.shutdown();
      await start();
      expectClose(await embedder.embed(['a']), before);
    });
  });
}

/** The largest difference in any number; of vectors of different lengths there is none. */
function distance(a: readonly number[], b: readonly number[] = []): number {
  if (a.length !== b.length) return NaN;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? NaN))), 0);
}

function runner(): Runner {
  const globals = globalThis as unknown as Partial<Runner>;
  const { describe, it, beforeEach, afterEach, expect } = globals;
  if (!describe || !it || !beforeEach || !afterEach || !expect) {
    throw new Error(
      'describeIEmbedder uses the global describe, it, beforeEach, afterEach and expect of jest or vitest: ' +
        'call it in a test file, in vitest with "globals: true"',
    );
  }
  return { describe, it, beforeEach, afterEach, expect };
}
