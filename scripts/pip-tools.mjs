// Pinned programs that Python packages carry, each list of them in an environment of its own below .cache/.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CACHE, ROOT } from './packages.mjs';

const WINDOWS = process.platform === 'win32';

/**
 * Makes sure that the programs are there, and answers an environment that finds them.
 * @param {string} name of the environment
 * @param {string} requirements the file below scripts/ with version and hash of each package
 * @param {string} program one of the programs: there when all are
 * @returns {NodeJS.ProcessEnv}
 */
export function withTools(name, requirements, program) {
  const folder = join(CACHE, name);
  const programs = join(folder, WINDOWS ? 'Scripts' : 'bin');
  if (!existsSync(join(programs, WINDOWS ? `${program}.exe` : program))) {
    execFileSync(WINDOWS ? 'python' : 'python3', ['-m', 'venv', folder], { stdio: 'inherit' });
    const options = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--quiet', '--disable-pip-version-check'];
    const install = ['-m', 'pip', 'install', ...options, '--requirement', join(ROOT, 'scripts', requirements)];
    execFileSync(join(programs, 'python'), install, { stdio: 'inherit' });
  }
  return { ...process.env, PATH: `${programs}${delimiter}${process.env['PATH'] ?? ''}` };
}
