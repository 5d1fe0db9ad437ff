import type { Distance } from '../formulas/distances.js';
// The contract between core and an index: who proposes which prototypes are near. Core computes the exact similarities of
// what is proposed and decides, so that an index costs recall at most, never a wrong number.

import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';

/** Rows of numbers, row-major. */
export interface Points {
  readonly data: Float32Array;
  readonly shape: readonly [number, number];
}

/** The nearest of each of N rows: indices [N, count], ascending by distance; −1 and Infinity where there are fewer points. */
export interface Neighbours {
  readonly indices: Int32Array;
  /** Squared euclidean, l1, or 1 − cosine, as the index measures [N, count]. */
  readonly distances: Float32Array;
  readonly shape: readonly [number, number];
}

/**
 * Finds points near to rows. Points have indices 0 … K − 1, the rows of what was built; an index keeps its meaning when others
 * are removed. Errors of every call: `ShapeError`, `DataError`, `StateError` before `build` or `load`; `OptionError` where the
 * index lacks the distance.
 */
export interface PrototypeIndex {
  readonly distance: Distance;
  /** Points that can be found. */
  readonly size: number;
  /** Takes points [K, D] in place of what there was. */
  build(points: Points): Promise<void>;
  /** The `count` nearest of rows [N, D]. */
  search(rows: Points, count: number): Promise<Neighbours>;
  /** Points at these indices have moved to the rows of `points` [n, D]; a removed one comes back. */
  update(indices: ArrayLike<number>, points: Points): Promise<void>;
  /** Points at these indices are found no more. */
  remove(indices: ArrayLike<number>): Promise<void>;
  /** Renews what moves have worn out; searches find as much as right after `build`. */
  refresh(): Promise<void>;
  /** The whole index as bytes. */
  save(): Promise<Uint8Array>;
  /** Takes what `save` wrote, without building anything. Errors: `FormatError`. */
  load(bytes: Uint8Array): Promise<void>;
  dispose(): void;
}

/** What of a model's arrays is indexed. */
export interface Indexed {
  readonly prototypes: NdArray;
  readonly featureWeights: NdArray | undefined;
}

/** The indices of a model, one a head, which follow its prototypes. */
export interface PrototypeSearch {
  /** The index lacks the distance of the model. */
  refused: boolean;
  /** The `count` prototypes of each head nearest to scaled rows [N, D], counted from the head's first one. Errors: those of the index. */
  nearest(of: Indexed, rows: Rows, count: number): Promise<readonly Neighbours[]>;
}

/** Makes an empty index: `hnswIndex` of '@fkm/index-hnsw', or a function that calls it with options. */
export type PrototypeIndexFactory = (options: { readonly distance: Distance }) => PrototypeIndex;
