/** The same for `import`. */

export * from './llamaindex.js';
