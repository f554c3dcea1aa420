// The types for `import`: those of testing.d.ts.
export * from './testing.js';
