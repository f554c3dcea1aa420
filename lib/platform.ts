/** Names the platform as the addon's file names and packages do: `linux-x64-gnu`, `win32-arm64-msvc`, `darwin-arm64`. */

/** The platforms that a package with a built addon exists for. */
export const PUBLISHED_PLATFORMS: readonly string[] = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
];

/** The platform that this process runs on. */
export function currentPlatform(): string {
  const { platform, arch } = process;
  if (platform === 'linux') return `${platform}-${arch}-${linuxLibc()}`;
  if (platform === 'win32') return `${platform}-${arch}-msvc`;
  return `${platform}-${arch}`;
}

/** The C library of this Linux, as the process's own report tells it. */
function linuxLibc(): 'gnu' | 'musl' {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const excludeNetwork = report.excludeNetwork ?? false;
  report.excludeNetwork = true; // looking up the names of open sockets can take seconds
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  report.excludeNetwork = excludeNetwork;
  return header?.glibcVersionRuntime ? 'gnu' : 'musl';
}
