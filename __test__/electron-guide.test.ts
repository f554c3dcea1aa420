// Every JavaScript example of the guide to Electron runs as it stands, in Node.

import { exampleRunner, examplesOf, promisedBy } from './support/examples';

const examples = examplesOf('docs', 'electron.md');
const run = exampleRunner();

test('the embedder of the example outlives the death of its process', () => {
  expect(examples).toHaveLength(1);
  const [source = ''] = examples;
  const { status, printed, stderr } = run(source);
  expect({ status, printed }).toEqual({ status: 0, printed: promisedBy(source) });
  expect(stderr).toMatch(/^restarted 1 The embedder's process ended \(SIGKILL\)/);
});
