// Who else may see an array: states are replaced and never written to, but for the rows that a stream of sampled steps moves.

import type { NdArray } from '../dtype.js';

/** Arrays that one holder alone refers to, who may therefore write to them; whoever else takes hold of them has to share them first. */
export class Ownership {
  private own = new WeakSet<object>();

  has({ data }: NdArray): boolean {
    return this.own.has(data);
  }

  claim({ data }: NdArray): void {
    this.own.add(data);
  }

  /** From here on no array is the holder's alone. */
  share(): void {
    this.own = new WeakSet();
  }
}
