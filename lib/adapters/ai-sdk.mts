/** The same for `import`: it takes nothing of the AI SDK, so that there are no halves. */

export * from './ai-sdk.js';
