// Every JavaScript example of the README runs as it stands.

import { exampleRunner, examplesOf, promisedBy } from './support/examples';

const examples = examplesOf('README.md').map((source, i): [string, string] => [
  `example ${String(i + 1)}: ${source.split('\n', 1)[0] ?? ''}`,
  source,
]);
const run = exampleRunner();

test('there are examples', () => {
  expect(examples.length).toBeGreaterThan(2);
});

test.each(examples)('%s', (_, source) => {
  const { status, printed, stderr } = run(source);
  // Progress goes to stderr, in as many lines as the machine is slow.
  expect({ status, stderr: stderr.replace(/^\d+ of \d+\n/gm, '') }).toEqual({ status: 0, stderr: '' });
  const promised = promisedBy(source);
  if (promised.length > 0) expect(printed).toEqual(promised);
});
