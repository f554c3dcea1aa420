// The passages and their vectors in LanceDB, on disk.

import { connect } from '@lancedb/lancedb';
import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow';

const NAME = 'passages';

export class Store {
  #database;
  #table;
  #schema;

  /**
   * @param {import('@lancedb/lancedb').Connection} database
   * @param {import('@lancedb/lancedb').Table} table
   * @param {Schema} schema
   */
  constructor(database, table, schema) {
    this.#database = database;
    this.#table = table;
    this.#schema = schema;
  }

  /**
   * @param {string} folder
   * @param {number} dimension of the model's vectors
   */
  static async open(folder, dimension) {
    const schema = new Schema([
      new Field('vector', new FixedSizeList(dimension, new Field('item', new Float32(), true)), false),
      new Field('text', new Utf8(), false),
      new Field('heading', new Utf8(), false),
      new Field('file', new Utf8(), false),
      new Field('line', new Int32(), false),
    ]);
    const database = await connect(folder);
    return new Store(database, await database.createEmptyTable(NAME, schema, { existOk: true }), schema);
  }

  count() {
    return this.#table.countRows();
  }

  async clear() {
    this.#table = await this.#database.createEmptyTable(NAME, this.#schema, { mode: 'overwrite' });
  }

  /** @param {Record<string, unknown>[]} passages */
  async add(passages) {
    await this.#table.add(passages);
  }

  /**
   * The passages whose vectors point most nearly the same way.
   * @param {Float32Array} vector
   * @param {number} count
   */
  async nearest(vector, count) {
    const query = this.#table.search(vector);
    if (!('distanceType' in query)) return [];
    const rows = await query.distanceType('cosine').limit(count).toArray();
    return rows.map(({ text, heading, file, line, _distance }) => ({
      text,
      heading,
      file,
      line,
      score: 1 - _distance,
    }));
  }
}
