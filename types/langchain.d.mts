// The types for `import`: those of langchain.d.ts.
export * from './langchain.js';
