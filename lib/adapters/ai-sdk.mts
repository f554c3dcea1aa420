/** The same for `import`. */

export * from './ai-sdk.js';
