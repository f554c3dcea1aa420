/** The same for `import`. */

export * from './langchain.js';
