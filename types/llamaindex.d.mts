// The types for `import`: those of llamaindex.d.ts.
export * from './llamaindex.js';
