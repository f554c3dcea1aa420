// How jest finds and runs the tests of the Node face: over the built package, as a consumer would.

/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/__test__/**/*.test.ts'],
  // Those have configurations of their own.
  testPathIgnorePatterns: [
    '<rootDir>/__test__/electron/',
    '<rootDir>/__test__/packaging/',
    // They need the trace of system calls and the limits that Linux gives, and a Redis, which is no program for Windows.
    ...(process.platform === 'linux'
      ? []
      : ['privacy.test.ts', 'memory.test.ts', 'distributed'].map((name) => `<rootDir>/__test__/${name}`)),
  ],
  // Elsewhere the system knows the folder, and no variable of its own moves it.
  ...(process.platform === 'linux' ? { globalSetup: '<rootDir>/__test__/support/cache.ts' } : {}),
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/.cache/'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // SLOWNESS of __test__/support/processes.ts.
  testTimeout: 180_000 * Number(process.env['SENTENCE_EMBEDDER_TEST_SLOWNESS'] ?? 1),
};
