// Sums over the rows of each prototype, updated as rows move between prototypes: late passes move few rows and cost little.

import type { Rows } from '../data/matrix.js';
import { addScaled, type IndexSums } from './host-sums.js';

/** Rows and the prototypes that they belong to. */
export interface OwnedRows {
  readonly rows: Rows;
  /** w [N] */
  readonly weights: Float32Array;
  /** The prototype of each row [N]; −1 if it has none yet. */
  readonly own: Int32Array;
}

export class MovingSums {
  private readonly columns: number;
  private readonly weights: Float64Array;
  private readonly sums: Float64Array;
  /** Number of rows with weight, by prototype [K]. */
  private readonly members: Uint32Array;

  constructor(prototypes: number, columns: number) {
    this.columns = columns;
    this.weights = new Float64Array(prototypes);
    this.sums = new Float64Array(prototypes * columns);
    this.members = new Uint32Array(prototypes);
  }

  /**
   * Subtracts every row from the sums of its own prototype and adds it to those of prototype to[i]. Returns the number of rows that
   * moved.
   */
  move({ rows, weights, own }: OwnedRows, to: ArrayLike<number>): number {
    const { columns, sums, members, weights: totals } = this;
    const { data } = rows;
    let moved = 0;
    for (let row = 0; row < rows.rows; row++) {
      const from = own[row] as number;
      const k = to[row] as number;
      if (from === k) continue;
      moved++;
      const w = weights[row] as number;
      const one = w > 0 ? 1 : 0;
      const begin = row * columns;
      totals[k] = (totals[k] as number) + w;
      members[k] = (members[k] as number) + one;
      if (from < 0) {
        addScaled(data, begin, w, sums, k * columns, columns);
        continue;
      }
      totals[from] = (totals[from] as number) - w;
      members[from] = (members[from] as number) - one;
      carry(data, begin, w, sums, from * columns, k * columns, columns);
    }
    return moved;
  }

  /** The sums. A prototype that all rows have left gets exact zeros in place of rounding errors. */
  read(): IndexSums {
    const { columns, members, weights, sums } = this;
    members.forEach((count, k) => {
      if (count > 0) return;
      weights[k] = 0;
      sums.fill(0, k * columns, (k + 1) * columns);
    });
    return { weights: weights.slice(), sums: sums.slice() };
  }
}

/** Rows for which another prototype is nearer, copied while they are in cache; as many as a search takes. */
export class Movers implements OwnedRows {
  readonly weights: Float32Array;
  readonly own: Int32Array;
  /** Their indices among all rows. */
  readonly indices: Uint32Array;
  count = 0;
  private readonly columns: number;
  private data: Float32Array | undefined;

  constructor(columns: number, most: number) {
    this.columns = columns;
    this.weights = new Float32Array(most);
    this.own = new Int32Array(most);
    this.indices = new Uint32Array(most);
  }

  get rows(): Rows {
    const { count, columns } = this;
    const data = this.data?.subarray(0, count * columns) ?? new Float32Array(0);
    return { data, rows: count, columns };
  }

  /**
   * Takes the rows with a positive lead from a block, from its row `i` on, until full; the block starts at row `begin` of all.
   * Returns the row to continue from.
   */
  add({ rows, weights, own }: OwnedRows, leads: ArrayLike<number>, begin: number, i: number): number {
    const { columns, indices } = this;
    this.data ??= new Float32Array(indices.length * columns);
    const first = this.count;
    let to = first;
    let at = i;
    for (; at < leads.length && to < indices.length; at++) {
      if ((leads[at] as number) > 0) indices[to++] = begin + at;
    }
    this.count = to;
    copyRows(rows.data, columns, indices.subarray(first, to), begin, this.data, first);
    for (let k = first; k < to; k++) {
      const row = (indices[k] as number) - begin;
      this.weights[k] = weights[row] as number;
      this.own[k] = own[row] as number;
    }
    return at;
  }

  /** Writes where the rows went into an index of all rows, and empties the buffer. */
  leave(to: ArrayLike<number>, index: Int32Array): void {
    for (let k = 0; k < this.count; k++) index[this.indices[k] as number] = to[k] as number;
    this.count = 0;
  }
}

/** Copies rows indices − begin of `from` into `into`, from row `first` on; unrolled by four. */
function copyRows(
  from: Float32Array,
  columns: number,
  indices: Uint32Array,
  begin: number,
  into: Float32Array,
  first: number,
): void {
  let to = first * columns;
  for (let k = 0; k < indices.length; k++) {
    let at = ((indices[k] as number) - begin) * columns;
    const end = at + columns;
    for (; at + 3 < end; at += 4, to += 4) {
      into[to] = from[at] as number;
      into[to + 1] = from[at + 1] as number;
      into[to + 2] = from[at + 2] as number;
      into[to + 3] = from[at + 3] as number;
    }
    for (; at < end; at++) into[to++] = from[at] as number;
  }
}

/** sums[b …] += w·x and sums[a …] −= w·x for `size` numbers from `i` on, in one read. */
function carry(
  x: Float32Array,
  i: number,
  w: number,
  sums: Float64Array,
  a: number,
  b: number,
  size: number,
): void {
  const end = i + size;
  for (; i + 3 < end; i += 4, a += 4, b += 4) {
    const v0 = w * (x[i] as number);
    const v1 = w * (x[i + 1] as number);
    const v2 = w * (x[i + 2] as number);
    const v3 = w * (x[i + 3] as number);
    sums[a] = (sums[a] as number) - v0;
    sums[a + 1] = (sums[a + 1] as number) - v1;
    sums[a + 2] = (sums[a + 2] as number) - v2;
    sums[a + 3] = (sums[a + 3] as number) - v3;
    sums[b] = (sums[b] as number) + v0;
    sums[b + 1] = (sums[b + 1] as number) + v1;
    sums[b + 2] = (sums[b + 2] as number) + v2;
    sums[b + 3] = (sums[b + 3] as number) + v3;
  }
  for (; i < end; i++, a++, b++) {
    const value = w * (x[i] as number);
    sums[a] = (sums[a] as number) - value;
    sums[b] = (sums[b] as number) + value;
  }
}
