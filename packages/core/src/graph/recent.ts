// A cache of the values used last. Evicted values may still be in use and are left to the garbage collector; `pool.ts` is for
// resources that must be freed, but not during a run.

export class Recent<K, V> {
  private readonly most: number;
  /** The least recently used first. */
  private readonly values = new Map<K, V>();

  /** Keeps `most` values. */
  constructor(most: number) {
    this.most = most;
  }

  /** The value of a key; `make` makes one that is not kept. */
  get(key: K, make: () => V): V {
    const held = this.values.has(key);
    const value = held ? (this.values.get(key) as V) : make();
    this.values.delete(key);
    this.values.set(key, value);
    if (this.values.size > this.most) this.values.delete(this.values.keys().next().value as K);
    return value;
  }

  /** Removes all values and returns them. */
  takeAll(): V[] {
    const all = [...this.values.values()];
    this.values.clear();
    return all;
  }
}
