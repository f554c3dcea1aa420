// The two functions without an embedder: one embedder of the process, loaded on first use, tried again after a failure.

import { Embedder, embedBatch, embedOne } from 'sentence-embedder';
import { rejection } from './support/expectations';
import { modelFolder } from './support/fixtures';

/** The functions as they are before their first use, with a load that the test decides. */
function fresh(load: () => Promise<Embedder>): { embedOne: typeof embedOne; embedBatch: typeof embedBatch } {
  let functions = { embedOne, embedBatch };
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the only way to a module's first use
    const isolated = require('sentence-embedder') as typeof import('sentence-embedder');
    jest.spyOn(isolated.Embedder, 'load').mockImplementation(load);
    functions = isolated;
  });
  return functions;
}

const load = jest.fn(() => Embedder.load({ model: modelFolder('bert') }));

beforeEach(() => {
  load.mockClear();
});

test('calls share one embedder, which the first loads with the defaults', async () => {
  const functions = fresh(load);
  const [one, many] = await Promise.all([functions.embedOne('a'), functions.embedBatch(['a', 'b'])]);
  expect(one).toEqual(many[0]);
  await functions.embedOne('c');
  expect(load).toHaveBeenCalledTimes(1);
  expect(load).toHaveBeenCalledWith();
});

test('the load is tried again after it failed', async () => {
  const failure = new Error('no model');
  const functions = fresh(load.mockRejectedValueOnce(failure));
  const calls = [functions.embedOne('a'), functions.embedBatch(['a'])];
  for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ reason: failure });
  await expect(functions.embedOne('a')).resolves.toHaveLength(32);
  expect(load).toHaveBeenCalledTimes(2);
});

test('the texts are those of the moment of the call', async () => {
  const functions = fresh(load);
  const texts = ['a', 'b'];
  const call = functions.embedBatch(texts);
  texts.pop();
  await expect(call).resolves.toHaveLength(2);
});

test('a signal ends the wait for the load of its call only', async () => {
  const functions = fresh(load);
  const controller = new AbortController();
  const aborted = functions.embedOne('a', { signal: controller.signal });
  const other = functions.embedOne('a');
  controller.abort('enough');
  expect((await rejection(aborted, 'ERR_EMBED_ABORTED')).cause).toBe('enough');
  await expect(other).resolves.toHaveLength(32);
  expect(load).toHaveBeenCalledTimes(1);
});

test('wrong arguments reject', async () => {
  const functions = fresh(load);
  await rejection(functions.embedOne(42 as never), 'ERR_EMBED_INVALID_ARGUMENT');
  await rejection(functions.embedBatch('a' as never), 'ERR_EMBED_INVALID_ARGUMENT');
  await rejection(functions.embedOne('a', { fast: true } as never), 'ERR_EMBED_INVALID_ARGUMENT');
});

test('wrong arguments and an aborted signal are refused before anything is loaded', async () => {
  const functions = fresh(load);
  const wrong = [
    functions.embedOne(42 as unknown as string),
    functions.embedBatch(['a', null] as unknown as string[]),
    functions.embedOne('a', { priorty: 'bulk' } as object),
  ];
  for (const call of wrong) await rejection(call, 'ERR_EMBED_INVALID_ARGUMENT');
  await rejection(functions.embedOne('a', { signal: AbortSignal.abort() }), 'ERR_EMBED_ABORTED');
  expect(load).not.toHaveBeenCalled();
});
