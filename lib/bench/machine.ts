/** What is worth knowing about the machine of a result, and nothing that names it. */

import { availableParallelism, cpus, totalmem } from 'node:os';

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
}

/** This machine. */
export function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
}
