// The failed batches on the real all-MiniLM-L6-v2: minutes on a small machine.

import { miniLM } from './support/models';
import { replayFiles, slowCli } from './support/replay';

test('all files pass', () => {
  const { status, stdout } = slowCli('replay', '--model', miniLM(), ...replayFiles);
  expect(stdout).toContain('Total: 15 of 15 files passed');
  expect(status).toBe(0);
});
