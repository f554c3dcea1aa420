// The tests in Electron, which test:node leaves out: npm run test:electron

import shared from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...shared,
  rootDir: '../..',
  testMatch: ['<rootDir>/__test__/electron/**/*.test.ts'],
  testPathIgnorePatterns: [],
  // Electron and npm have caches that are worth keeping.
  globalSetup: null,
  maxWorkers: 1,
  testTimeout: 120_000,
};
