// The parts of usearch that are used, as our own types: the published declarations must not depend on a package that may be
// missing, and usearch's own declare Matches where a batch returns BatchMatches.

/** Results of a search: for one row, as many as were found; for several [rows, k], with the number found for each in `counts`. */
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

/** What a passed namespace of `usearch` has to offer. */
export interface UsearchModule {
  // `never`, since usearch declares metric names as enums.
  readonly Index: new (
    config: never,
  ) => unknown;
}
