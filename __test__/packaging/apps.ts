// Apps of consumers: empty folders into which a package manager installs the package, with scripts switched off.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../support/processes';

const run = promisify(execFile);

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The file of a tool among this repository's own development dependencies. */
export function tool(packageName: string, name: string): string {
  const folder = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  return join(folder, typeof bin === 'string' ? bin : (bin[name] ?? ''));
}

/** Runs a program in a folder; its registry server runs in this process, so this must not block. */
export async function runIn(
  cwd: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const options = {
    cwd,
    env: { ...process.env, ...env },
    timeout: 240_000,
    maxBuffer: 1 << 26,
    shell: command === 'npm' && process.platform === 'win32',
  };
  try {
    return { code: 0, ...(await run(command, args, options)) };
  } catch (error) {
    return error as Outcome; // with code, stdout and stderr
  }
}

/** Runs Node in a folder. */
export const node = (cwd: string, ...args: string[]): Promise<Outcome> => runIn(cwd, process.execPath, args);

/** Writes the files of an app. */
export function makeApp(folder: string, files: Record<string, string>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

export const MANIFEST = JSON.stringify({ name: 'app', version: '1.0.0', private: true });

export type Manager = 'npm' | 'pnpm' | 'yarn' | 'yarn-pnp';

/** Makes an app and installs the package into it. All caches are the app's own, so that nothing old is found. */
export async function installed(
  manager: Manager,
  app: string,
  registry: string,
  { dependency = 'sentence-embedder', flags = [] as string[] } = {},
): Promise<Outcome> {
  if (!existsSync(join(app, 'package.json'))) makeApp(app, { 'package.json': MANIFEST });
  const quiet = ['--ignore-scripts', `--registry=${registry}`, ...flags];
  switch (manager) {
    case 'npm': {
      const args = ['install', dependency, '--no-audit', '--no-fund', `--cache=${join(app, '.npm')}`, ...quiet];
      return runIn(app, 'npm', args);
    }
    case 'pnpm':
      return node(app, tool('pnpm', 'pnpm'), 'add', dependency, `--store-dir=${join(app, '.store')}`, ...quiet);
    default: {
      const settings = {
        enableGlobalCache: 'false',
        enableScripts: 'false',
        enableTelemetry: 'false',
        nodeLinker: manager === 'yarn' ? 'node-modules' : 'pnp',
        pnpEnableEsmLoader: 'true',
        npmRegistryServer: registry,
        unsafeHttpWhitelist: '\n  - 127.0.0.1',
      };
      const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`);
      makeApp(app, { '.yarnrc.yml': lines.join(''), 'yarn.lock': '' });
      return runIn(app, process.execPath, [tool('@yarnpkg/cli-dist', 'yarn'), 'add', dependency], {
        YARN_IGNORE_PATH: '1',
        YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
      });
    }
  }
}
