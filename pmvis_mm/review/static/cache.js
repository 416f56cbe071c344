/** A cache that holds at most so much, and loads nothing twice at once. */

export class Cache {
  /**
   * @param {number} limit Sum of the costs that it may hold.
   * @param {function} release Called with each value that has to go.
   */
  constructor(limit, release = () => {}) {
    this.limit = limit;
    this.release = release;
    this.cost = 0;
    this.entries = new Map(); // the first one was used longest ago
    this.pending = new Map();
  }

  /** The value if it is here, and mark it as used. */
  get(key) {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  set(key, value, cost) {
    this.remove(key);
    this.entries.set(key, { value, cost });
    this.cost += cost;
    for (const oldest of this.entries.keys()) {
      // One that is larger than the limit alone stays until the next.
      if (this.cost <= this.limit || oldest === key) break;
      this.remove(oldest);
    }
  }

  remove(key) {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.entries.delete(key);
    this.cost -= entry.cost;
    this.release(entry.value);
  }

  /**
   * Load unless it is here or on its way.
   * @param {string} key
   * @param {function} load Gives a promise of [value, cost].
   * @returns {Promise} Of the value.
   */
  async load(key, load) {
    const here = this.get(key);
    if (here !== undefined) return here;
    if (!this.pending.has(key)) {
      const promise = load().then(([value, cost]) => {
        this.set(key, value, cost);
        return value;
      }).finally(() => this.pending.delete(key));
      this.pending.set(key, promise);
    }
    return this.pending.get(key);
  }
}
