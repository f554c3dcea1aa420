// A registry of this project's own packages, so that they are installed as they will be: by name, from their archives.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../support/processes';

const PACKAGES = join(ROOT, '.cache', 'packages');
const PLATFORMS = ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-arm64', 'win32-x64-msvc', 'win32-arm64-msvc'];

export interface Manifest {
  name: string;
  version: string;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  main?: string;
  files?: string[];
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const readManifest = (...path: string[]): Manifest =>
  JSON.parse(readFileSync(join(ROOT, ...path, 'package.json'), 'utf8')) as Manifest;

/** The platform's package that this machine must get. */
export const ownPackage = (() => {
  const manifests = PLATFORMS.map((platform) => readManifest('npm', platform));
  const own = manifests.find(({ os, cpu }) => os?.[0] === process.platform && cpu?.[0] === process.arch);
  if (!own) throw new Error(`No package is published for ${process.platform}-${process.arch}`);
  return own;
})();

/** The manifests of the main package, as it is packed, and of every platform's. */
export const manifests = (): { main: Manifest; platforms: Manifest[] } => ({
  main: readManifest('.cache', 'packages', 'main'),
  platforms: PLATFORMS.map((platform) => readManifest('npm', platform)),
});

/** The archive of a package: only the main one and that of this platform are made here. */
export const archiveOf = ({ name, version }: Manifest): string => join(PACKAGES, `${name}-${version}.tgz`);

/** Serves the packages, with the archives of this platform only. */
export async function serveRegistry(): Promise<{ url: string; close(): void }> {
  const { main, platforms } = manifests();
  const known = new Map([main, ...platforms].map((manifest) => [manifest.name, manifest]));
  const made = [main, ownPackage];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/').slice(1);
    const archive = made.find((manifest) => path === `-/${manifest.name}.tgz`);
    const manifest = known.get(path);
    if (archive) {
      response.end(readFileSync(archiveOf(archive)));
    } else if (manifest) {
      const host = `http://${request.headers.host ?? ''}`;
      const integrity = made.includes(manifest)
        ? `sha512-${createHash('sha512')
            .update(readFileSync(archiveOf(manifest)))
            .digest('base64')}`
        : undefined;
      const dist = { tarball: `${host}/-/${manifest.name}.tgz`, integrity };
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          name: manifest.name,
          'dist-tags': { latest: manifest.version },
          versions: { [manifest.version]: { ...manifest, dist } },
          time: { [manifest.version]: '2020-01-01T00:00:00.000Z' },
        }),
      );
    } else {
      response.writeHead(404).end('{}');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
