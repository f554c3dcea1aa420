// What eslint checks: the strict, type-aware rules everywhere, with the few exceptions that plain scripts and tests need.

import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['dist/', 'site/', 'target/', '.cache/', 'coverage/', 'index.d.ts', 'testing.d.ts', 'types/']),
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: { eqeqeq: 'error', 'no-console': 'error' },
  },
  {
    // Programs for people, which read JSON of this repository.
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    rules: {
      'no-console': 'off',
      'no-undef': 'off', // the compiler checks names
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // Apps with dependencies of their own, which are not installed here.
    files: ['examples/**'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { '@typescript-eslint/no-require-imports': 'off' }, // a sandboxed preload has no other way
  },
  {
    files: ['__test__/**'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
