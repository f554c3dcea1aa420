// The types for `import`: those of lancedb.d.ts.
export * from './lancedb.js';
