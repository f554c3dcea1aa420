// The types for `import`: those of ai-sdk.d.ts.
export * from './ai-sdk.js';
