/** The same for `import`: of the AI SDK it takes types alone, which have no halves. */

export * from './ai-sdk.js';
