// Negative sampling (docs/method.md §5): which classes a gradient step computes, and where their prototypes are.

import { allocate, type NdArray } from '../dtype.js';
import type { Random } from '../random.js';

/** The prototypes of each class: those of c are prototypes[starts[c]] … prototypes[starts[c + 1] − 1], ascending. */
export interface ClassIndex {
  readonly starts: Int32Array;
  readonly prototypes: Int32Array;
}

/** Owners are replaced, never mutated, so a count stays valid. */
const known: WeakMap<object, ClassIndex> = /* @__PURE__ */ new WeakMap();

/** The prototypes by class, counted once for the same owners. */
export function indexClasses({ data: owners }: NdArray, classes: number): ClassIndex {
  const before = known.get(owners);
  if (before?.starts.length === classes + 1) return before;
  const starts = new Int32Array(classes + 1);
  for (const owner of owners) starts[owner + 1] = (starts[owner + 1] as number) + 1;
  for (let c = 0; c < classes; c++) starts[c + 1] = (starts[c + 1] as number) + (starts[c] as number);
  const next = starts.slice();
  const prototypes = new Int32Array(owners.length);
  owners.forEach((owner, k) => {
    const at = next[owner] as number;
    prototypes[at] = k;
    next[owner] = at + 1;
  });
  const index = { starts, prototypes };
  known.set(owners, index);
  return index;
}

/** Most hard negatives kept for a class. */
export const mostRivals = 4;

/**
 * The hard negatives of each class: the classes that its rows were last taken for, the latest first. Random classes are mostly far
 * from a row and teach nothing.
 */
export class Rivals {
  private readonly lists = new Map<number, readonly number[]>();

  note(of: number, rival: number): void {
    const before = this.lists.get(of) ?? [];
    if (before[0] === rival) return;
    this.lists.set(of, [rival, ...before.filter((c) => c !== rival)].slice(0, mostRivals));
  }

  /** The classes and at most `limit` of their hard negatives: first the latest of every class, then older ones. */
  beside(own: ReadonlySet<number>, limit: number): Set<number> {
    const all = new Set(own);
    for (let index = 0; index < mostRivals; index++) {
      for (const c of own) {
        if (all.size >= own.size + limit) return all;
        const rival = this.lists.get(c)?.[index];
        if (rival !== undefined) all.add(rival);
      }
    }
    return all;
  }
}

/** The classes of one step. */
export interface ClassSample {
  /** The batch's own classes and the drawn ones, ascending. */
  readonly classes: Int32Array;
  /** Number of absent classes that each drawn one stands for: absent / drawn; 1 if all are present. */
  readonly standsFor: number;
}

/** The `own` classes and n of the others, drawn without replacement in O(own + n). If n covers all others, nothing is drawn. */
export function sampleClasses(
  own: ReadonlySet<number>,
  classes: number,
  n: number,
  random: Random,
): ClassSample {
  const absent = classes - own.size;
  const drawn = Math.min(n, absent);
  const all = new Int32Array(own.size + drawn);
  const present = Int32Array.from(own).sort();
  all.set(present);
  if (drawn === absent) {
    let at = own.size;
    for (let c = 0; c < classes; c++) if (!own.has(c)) all[at++] = c;
  } else {
    const ranks = distinct(drawn, absent, random);
    let skipped = 0;
    ranks.forEach((rank, i) => {
      // The rank-th absent class comes after all present classes up to it.
      while (skipped < present.length && (present[skipped] as number) <= rank + skipped) skipped++;
      all[own.size + i] = rank + skipped;
    });
  }
  return { classes: all.sort(), standsFor: drawn > 0 ? absent / drawn : 1 };
}

/** n distinct integers below `limit`, ascending, uniformly distributed (Floyd's algorithm: Bentley 1987). */
function distinct(n: number, limit: number, random: Random): Int32Array {
  const chosen = new Set<number>();
  for (let last = limit - n; last < limit; last++) {
    const at = random.below(last + 1);
    chosen.add(chosen.has(at) ? last : at);
  }
  return Int32Array.from(chosen).sort();
}

/** The prototypes of these classes, ascending. */
export function prototypesOf({ starts, prototypes }: ClassIndex, classes: Int32Array): Int32Array {
  let count = 0;
  for (const c of classes) count += (starts[c + 1] as number) - (starts[c] as number);
  const all = new Int32Array(count);
  let at = 0;
  for (const c of classes) {
    const own = prototypes.subarray(starts[c], starts[c + 1]);
    all.set(own, at);
    at += own.length;
  }
  return all.sort();
}

/** Row width from which copying whole rows is faster than number by number. */
const wide = 16;

/** Rows of an array at these indices, padded to `count` with rows of `fill`. */
export function gatherRows(
  { data, shape, dtype }: NdArray,
  index: Int32Array,
  count: number,
  fill = 0,
): NdArray {
  const width = data.length / (shape[0] as number);
  const rows = allocate(dtype, count * width);
  index.forEach((k, i) => {
    if (width >= wide) rows.set(data.subarray(k * width, (k + 1) * width), i * width);
    else for (let j = 0; j < width; j++) rows[i * width + j] = data[k * width + j] as number;
  });
  rows.fill(fill, index.length * width);
  return { data: rows, shape: [count, ...shape.slice(1)], dtype };
}

/** The next multiple of an eighth of a power of two, at most `limit`, so that samples of similar size share a graph. */
export function bucketOf(count: number, limit: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, count))) - 3);
  return Math.min(limit, Math.ceil(Math.max(1, count) / step) * step);
}
