/** The same for `import`. */

export * from './lancedb.js';
