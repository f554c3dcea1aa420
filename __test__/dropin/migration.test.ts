// Every JavaScript example of the migration guide runs as it stands; those in TypeScript show what was before, or parts.

import { exampleRunner, examplesOf, promisedBy } from '../support/examples';

const examples = examplesOf('docs', 'migration.md');
const run = exampleRunner();

test('there is an example of each way and of stamps', () => {
  expect(examples).toHaveLength(3);
});

test.each(examples.map((source, i): [number, string] => [i + 1, source]))('example %i', (_, source) => {
  const { status, printed } = run(source);
  expect({ status, printed }).toEqual({ status: 0, printed: promisedBy(source) });
});
