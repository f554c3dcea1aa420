// The bill of materials as CycloneDX: npm run sbom
// What npm says of the packages, with the Rust crates of every platform's addon and the ONNX Runtime library beside them.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLATFORMS, readJson } from './package-manifests.mjs';
import { linkedCrates } from './package-notices.mjs';
import { ROOT } from './packages.mjs';

const windows = process.platform === 'win32'; // where npm is a command file, which only a shell can start
const options = { cwd: ROOT, maxBuffer: 1 << 28, shell: windows };
const bom = JSON.parse(execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--silent'], options).toString());

/** Name and version of each locked crate to the hash of its archive. */
const checksums = new Map(
  [
    ...readFileSync(join(ROOT, 'Cargo.lock'), 'utf8').matchAll(
      /name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"/g,
    ),
  ].map(([, name, version, checksum]) => [`${String(name)} ${String(version)}`, checksum]),
);

const crates = new Map(
  Object.values(PLATFORMS)
    .flatMap(({ target }) => linkedCrates(target))
    .map((crate) => [`${crate.name} ${crate.version}`, crate]),
);
for (const [key, { name, version, license, repository }] of [...crates].sort()) {
  const purl = `pkg:cargo/${name}@${version}`;
  bom.components.push({
    'bom-ref': purl,
    type: 'library',
    name,
    version,
    scope: 'required',
    purl,
    hashes: [{ alg: 'SHA-256', content: checksums.get(key) }],
    // "MIT/Apache-2.0" is how crates wrote "MIT OR Apache-2.0" once.
    ...(license ? { licenses: [{ expression: license.replace(/ ?\/ ?/g, ' OR ') }] } : {}),
    ...(repository ? { externalReferences: [{ type: 'vcs', url: repository }] } : {}),
  });
}

const { version, libraries } = readJson('scripts/pins.json').onnxruntime;
for (const [platform, { name, sha256 }] of Object.entries(libraries)) {
  bom.components.push({
    'bom-ref': `onnxruntime-${platform}@${String(version)}`,
    type: 'library',
    name: 'onnxruntime',
    version,
    scope: 'required',
    description: `${String(name)} for ${platform}`,
    purl: `pkg:github/microsoft/onnxruntime@v${String(version)}`,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    licenses: [{ license: { id: 'MIT' } }],
  });
}
console.log(JSON.stringify(bom, null, 2));
