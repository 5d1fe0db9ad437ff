// What this package uses of usearch, as types of its own: the declarations it ships must not need a package that may be
// missing, and usearch's own say Matches where a batch gives BatchMatches.

/** Results of a search: of one row as long as what was found, of several [rows, k] with `counts` found for each. */
export interface UsearchMatches {
  readonly keys: BigUint64Array;
  readonly distances: Float32Array;
  readonly counts?: BigUint64Array;
}

export interface UsearchIndexLike {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  search(vectors: Float32Array, k: number, threads: number): UsearchMatches;
  remove(keys: BigUint64Array): unknown;
  contains(keys: BigUint64Array): boolean | boolean[];
  size(): number;
  dimensions(): number;
  save(path: string): void;
  load(path: string): void;
}

export interface UsearchConfig {
  readonly metric: 'l2sq' | 'ip';
  readonly dimensions: number;
  readonly quantization: 'f32';
  readonly connectivity: number;
  readonly expansion_add: number;
  readonly expansion_search: number;
  readonly multi: boolean;
}

/** What a namespace of `usearch` has to offer to be handed in. */
export interface UsearchModule {
  // `never`, since usearch declares the names of metrics as enums.
  readonly Index: new (
    config: never,
  ) => unknown;
}
