// Makes an embedder's process crash on texts that say so. Such a process is started with --import and this file.

import { existsSync, writeFileSync } from 'node:fs';
import { Embedder } from 'sentence-embedder';

const { CRASH_LOAD, CRASH_MARK } = process.env;
const load = Embedder.load.bind(Embedder);
const embedBatch = Reflect.get(Embedder.prototype, 'embedBatch');

Embedder.load = (options) => {
  if (CRASH_LOAD === 'exit') process.exit(3);
  if (CRASH_LOAD === 'hang') return new Promise(() => undefined);
  return load(options);
};

/** @type {(this: Embedder, ...args: Parameters<typeof embedBatch>) => ReturnType<typeof embedBatch>} */
Embedder.prototype.embedBatch = function (texts, options) {
  const says = (/** @type {string} */ word) => texts.includes(word);
  if (says('abort')) process.abort();
  if (says('SIGSEGV')) process.kill(process.pid, 'SIGSEGV');
  if (says('exit')) process.exit(5);
  if (says('complain')) {
    console.error('the last words');
    process.exit(6);
  }
  if (says('once') && CRASH_MARK && !existsSync(CRASH_MARK)) {
    writeFileSync(CRASH_MARK, '');
    process.abort();
  }
  if (says('hang')) return new Promise(() => undefined);
  return embedBatch.call(this, texts, options);
};
