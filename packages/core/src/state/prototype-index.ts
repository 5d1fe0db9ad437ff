import type { Distance } from '../formulas/distances.js';
// The contract between core and an index of prototypes. The index proposes near prototypes; core computes their exact similarities and
// decides. So an index can miss a neighbour, but never changes a number.

import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';

/** Rows of numbers, row-major. */
export interface Points {
  readonly data: Float32Array;
  readonly shape: readonly [number, number];
}

/** The nearest points of each of N rows: indices [N, count], ascending by distance; −1 and Infinity where there are fewer points. */
export interface Neighbours {
  readonly indices: Int32Array;
  /** [N, count], as the index measures: squared euclidean, l1, or 1 − cosine. */
  readonly distances: Float32Array;
  readonly shape: readonly [number, number];
}

/**
 * Finds the points nearest to rows. Points have indices 0 … K − 1, their rows at `build`; removing a point changes no other index. Errors
 * of every call: `ShapeError`, `DataError`, `StateError` before `build` or `load`; `OptionError` where the index lacks the distance.
 */
export interface PrototypeIndex {
  readonly distance: Distance;
  /** Points that can be found. */
  readonly size: number;
  /** Replaces all points by these [K, D]. */
  build(points: Points): Promise<void>;
  /** The `count` nearest of rows [N, D]. */
  search(rows: Points, count: number): Promise<Neighbours>;
  /** Moves the points at these indices to the rows of `points` [n, D]; a removed one comes back. */
  update(indices: ArrayLike<number>, points: Points): Promise<void>;
  /** Removes the points at these indices from all searches. */
  remove(indices: ArrayLike<number>): Promise<void>;
  /** Restores the recall that moves have worn down, to that of a new `build`. */
  refresh(): Promise<void>;
  /** The whole index as bytes. */
  save(): Promise<Uint8Array>;
  /** Restores what `save` wrote, without building. Errors: `FormatError`. */
  load(bytes: Uint8Array): Promise<void>;
  dispose(): void;
}

/** The arrays of a model that are indexed. */
export interface Indexed {
  readonly prototypes: NdArray;
  readonly featureWeights: NdArray | undefined;
}

/** The indices of a model, one a head, kept up to date with its prototypes. */
export interface PrototypeSearch {
  /** Set once the index has refused the model's distance. */
  refused: boolean;
  /** The `count` nearest prototypes of each head for scaled rows [N, D], as indices within the head. Errors: those of the index. */
  nearest(of: Indexed, rows: Rows, count: number): Promise<readonly Neighbours[]>;
}

/** Creates an empty index: `hnswIndex` of '@fkm/index-hnsw', or a function that calls it with options. */
export type PrototypeIndexFactory = (options: { readonly distance: Distance }) => PrototypeIndex;
