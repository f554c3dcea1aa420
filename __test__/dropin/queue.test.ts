// 5,000 chunks of this project's own files go through a host app's queue into a real LanceDB table and are found again,
// although the session fails and is restarted on the way.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { connect, type Table } from '@lancedb/lancedb';
import { checkIndexStamp, InProcessEmbedder, writeIndexStamp } from 'sentence-embedder';
import { modelFolder, temporaryFolder } from '../support/fixtures';
import { ROOT } from '../support/processes';
import { EmbeddingQueue, type Chunk, type Embedded } from './queue';
import { recorder } from './support';

const CHUNKS = 5000;
const folder = temporaryFolder();

/** The project's sources and documents, cut into chunks of a few lines that are not all alike. */
function filesInChunks(): Map<string, string[]> {
  const files = ['lib', 'src', 'tests', '__test__', 'scripts', 'docs', 'demo']
    .flatMap((name) => readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(md|ts|mts|mjs|rs|py)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .concat(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'index.d.ts'].map((name) => join(ROOT, name)))
    .sort();
  const chunks = new Map<string, string[]>();
  let left = CHUNKS;
  for (let lines = 3; left > 0; lines++) {
    // Another round cuts the same files elsewhere, so that there are enough chunks however small the project is.
    for (const file of files) {
      const text = readFileSync(file, 'utf8').split('\n');
      const cuts = Array.from({ length: Math.ceil(text.length / lines) }, (_, i) =>
        text.slice(i * lines, (i + 1) * lines).join('\n'),
      ).slice(0, left);
      left -= cuts.length;
      chunks.set(`${relative(ROOT, file)} by ${String(lines)}`, cuts);
    }
  }
  return chunks;
}

/** The rows that a search for the vector finds first. */
async function search(table: Table, vector: readonly number[]): Promise<{ id: string; text: string }[]> {
  const found: unknown[] = await table.search(Array.from(vector)).limit(5).toArray();
  return found as { id: string; text: string }[];
}

test('5,000 chunks survive a failure and a restart, and are found again', async () => {
  const { events, onEvent } = recorder();
  const embedder = new InProcessEmbedder({ modelName: modelFolder('xlmr'), retryDelay: 1, onEvent });
  expect(await embedder.initialize()).toBe(true);

  const files = filesInChunks();
  const db = await connect(join(folder, 'index'));
  let table: Table | undefined;
  let stored = 0;
  const milestones = new Map([
    [1500, () => embedder.embedder?.close()], // the session dies under the calls that it works on
    [3000, () => embedder.restart()],
  ]);
  const incidents: Promise<void>[] = [];
  let last = Promise.resolve();
  const store = async (rows: Embedded[]): Promise<void> => {
    // One writer at a time, as in host apps.
    const mine = last.then(async () => {
      const records = rows.map((row) => ({ ...row }));
      if (table) await table.add(records);
      else table = await db.createTable('chunks', records);
    });
    last = mine;
    await mine;
    stored += rows.length;
    for (const [at, incident] of milestones) {
      if (stored < at) continue;
      milestones.delete(at);
      incidents.push(Promise.resolve(incident()));
    }
  };

  const queue = new EmbeddingQueue({ embedder, maxTokens: 2000, consumers: 4, store });
  const names = [...files.keys()];
  const producers = Array.from({ length: 3 }, async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const texts = files.get(name) ?? [];
      const counts = await countTokens(embedder, texts);
      await queue.add(texts.map((text, i): Chunk => ({ id: `${name}#${String(i)}`, text, tokens: counts[i] ?? 0 })));
    }
  });
  await Promise.all(producers);
  await queue.finish();
  await Promise.all(incidents);

  expect(milestones.size).toBe(0);
  const restarts = events.filter(({ type }) => type === 'restart');
  expect(restarts.map((event) => ('reason' in event ? event.reason : ''))).toEqual(['failure', 'requested']);
  expect(queue.mixed).toBeGreaterThan(0);

  if (!table) throw new Error('nothing was stored');
  expect(await table.countRows()).toBe(CHUNKS);
  const ids = (await table.query().select(['id']).toArray()).map((row: { id: string }) => row.id);
  expect(new Set(ids)).toEqual(
    new Set([...files].flatMap(([name, texts]) => texts.map((_, i) => `${name}#${String(i)}`))),
  );

  // Every 50th chunk is found by its own text, from before the failure, between, and after the restart.
  for (const id of ids.filter((_, i) => i % 50 === 0)) {
    const [name = '', number = ''] = id.split('#');
    const text = files.get(name)?.[Number(number)] ?? '';
    const [vector = []] = await embedder.embed([text]);
    const [nearest] = await search(table, vector);
    // Another chunk may have the same tokens, and so the same vector, as the first ones that the model reads.
    const [again = []] = await embedder.embed([nearest?.text ?? '']);
    expect(Math.max(...vector.map((value, i) => Math.abs(value - (again[i] ?? NaN))))).toBeLessThan(1e-5);
    const found = (await table
      .query()
      .where(`id = '${id.replaceAll("'", "''")}'`)
      .toArray()) as Embedded[];
    expect(found).toHaveLength(1);
    const kept = Array.from(found[0]?.vector ?? []);
    expect(Math.max(...vector.map((value, i) => Math.abs(value - (kept[i] ?? NaN))))).toBeLessThan(1e-5);
  }

  await writeIndexStamp(join(folder, 'index'), embedder);
  expect(await checkIndexStamp(join(folder, 'index'), embedder)).toMatchObject({ verdict: 'match' });
  await embedder.shutdown();
});

/** Counts tokens with whichever session is in place: a count is not made again by itself. */
async function countTokens(embedder: InProcessEmbedder, texts: readonly string[]): Promise<Uint32Array> {
  for (;;) {
    try {
      return (await embedder.embedder?.countTokens(texts)) ?? new Uint32Array();
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_EMBED_CLOSED') throw error;
      await embedder.embed(['']); // the first call that needs the session has it replaced
    }
  }
}
