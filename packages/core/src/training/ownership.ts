// Arrays with a single holder. States are replaced and never written to, except for the rows that a stream of sampled steps moves.

import type { NdArray } from '../dtype.js';

/**
 * Tracks arrays that only one holder refers to and may therefore write to. Before anyone else takes a reference, they must be
 * shared.
 */
export class Ownership {
  private own = new WeakSet<object>();

  has({ data }: NdArray): boolean {
    return this.own.has(data);
  }

  claim({ data }: NdArray): void {
    this.own.add(data);
  }

  /** From here on, no array belongs to the holder alone. */
  share(): void {
    this.own = new WeakSet();
  }
}
