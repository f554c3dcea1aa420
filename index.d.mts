// The types for `import`: those of index.d.ts.
export * from './index.js';
