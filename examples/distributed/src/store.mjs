// The vectors in Redis: one hash a vector space, one field a document, so that storing twice is storing once.

export class Store {
  #redis;
  #key;

  /**
   * @param {import('ioredis').Redis} redis
   * @param {string} fingerprint of the model: vectors of another one never come between these
   */
  constructor(redis, fingerprint) {
    this.#redis = redis;
    this.#key = `vectors:${fingerprint}`;
  }

  /**
   * Stores a batch in one command: all of it or, when the process dies before, nothing.
   * @param {readonly import('./queue.mjs').Document[]} documents
   * @param {readonly Float32Array[]} vectors
   */
  async put(documents, vectors) {
    const fields = documents.flatMap(({ id }, row) => {
      const vector = vectors[row];
      return [id, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)];
    });
    await this.#redis.hset(this.#key, ...fields);
  }

  /** @returns {Promise<number>} how many documents have a vector */
  count() {
    return this.#redis.hlen(this.#key);
  }

  /** @param {string} id */
  async get(id) {
    const bytes = await this.#redis.hgetBuffer(this.#key, id);
    return bytes && new Float32Array(Uint8Array.from(bytes).buffer); // a copy, which begins where floats may
  }
}
