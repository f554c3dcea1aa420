// How jest finds and runs the tests of the Node face: over the built package, as a consumer would.

/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/__test__/**/*.test.ts'],
  // Those have configurations of their own.
  testPathIgnorePatterns: [
    '<rootDir>/__test__/electron/',
    '<rootDir>/__test__/packaging/',
    // They need the trace of system calls that Linux gives, and a Redis, which is no program for Windows.
    ...(process.platform === 'linux' ? [] : ['<rootDir>/__test__/privacy.test.ts', '<rootDir>/__test__/distributed']),
  ],
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/.cache/'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  testTimeout: 180_000,
};
