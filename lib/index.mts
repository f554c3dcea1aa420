/** The front door for `import`: the same module as for `require`, so that both share one default embedder. */

export * from './index.js';
