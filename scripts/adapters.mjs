// Adapters whose framework has a half for `import` and a half for `require`, which share neither classes nor state: each
// half needs an adapter of its own kind, made from the one source.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './packages.mjs';

/** Their names below lib/adapters/. The framework of another is CommonJS alone, or nothing of it is used. */
export const TWO_HALVES = ['langchain', 'llamaindex'];

/** Puts the ES module of each beside its CommonJS file. What they share, such as roles.js, stays CommonJS and is there once. */
export function buildEsAdapters() {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  for (const name of TWO_HALVES) {
    const source = readFileSync(join(ROOT, 'lib', 'adapters', `${name}.ts`), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions });
    writeFileSync(join(ROOT, 'dist', 'adapters', `${name}.mjs`), outputText);
  }
}
