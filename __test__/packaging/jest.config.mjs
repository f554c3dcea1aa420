// The tests of the packages as they are published, which test:node leaves out: npm run test:packaging

import shared from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...shared,
  rootDir: '../..',
  testMatch: ['<rootDir>/__test__/packaging/**/*.test.ts'],
  testPathIgnorePatterns: [],
  // Electron and npm have caches that are worth keeping.
  globalSetup: null,
  maxWorkers: 1,
  testTimeout: 300_000,
};
