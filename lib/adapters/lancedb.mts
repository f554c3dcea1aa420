/** The same for `import`: LanceDB is CommonJS for both, and its registry takes a name once. */

export * from './lancedb.js';
