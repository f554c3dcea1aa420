// The JavaScript examples of a document, run as a reader would run them: in an app that has installed the package.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './fixtures';
import { miniLM } from './models';
import { ROOT, runNode } from './processes';

/** The sources of the examples in a document of the project, in their order. */
export function examplesOf(...path: string[]): string[] {
  const document = readFileSync(join(ROOT, ...path), 'utf8');
  return [...document.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
}

/** A way to run examples in an app that is made for the tests of the file and has the real model that they name. */
export function exampleRunner(): (source: string) => { status: number | null; printed: string[]; stderr: string } {
  const app = temporaryFolder();
  beforeAll(() => {
    mkdirSync(join(app, 'node_modules'));
    mkdirSync(join(app, 'models'));
    symlinkSync(ROOT, join(app, 'node_modules', 'sentence-embedder'));
    symlinkSync(join(ROOT, 'node_modules', 'ai'), join(app, 'node_modules', 'ai')); // of the section on frameworks
    symlinkSync(miniLM(), join(app, 'models', 'all-MiniLM-L6-v2'));
  });
  return (source) => {
    writeFileSync(join(app, 'example.mjs'), source);
    const { status, stdout, stderr } = runNode(['example.mjs'], { cwd: app });
    return { status, printed: stdout.trimEnd().split('\n'), stderr };
  };
}

/** What an example says that it prints. */
export function promisedBy(source: string): string[] {
  return [...source.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1] ?? '');
}
