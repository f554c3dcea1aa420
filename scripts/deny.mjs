// Checks the Rust crates against deny.toml: npm run deny -- [checks of cargo-deny]
// By default what needs no network: licences, where crates come from, and which are banned. "advisories" fetches the list
// of known weaknesses.

import { spawnSync } from 'node:child_process';
import { ROOT } from './packages.mjs';
import { withTools } from './pip-tools.mjs';

const asked = process.argv.slice(2);
const checks = asked.length > 0 ? asked : ['licenses', 'sources', 'bans'];
const env = withTools('rust-tools', 'rust-tools-requirements.txt', 'cargo-deny');
const { status, error } = spawnSync('cargo', ['deny', '--locked', 'check', ...checks], {
  cwd: ROOT,
  stdio: 'inherit',
  env,
});
if (error) throw error;
process.exitCode = status ?? 1;
