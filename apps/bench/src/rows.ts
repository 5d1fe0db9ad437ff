// Row-major arrays as the sets hold them, and the split into rows to learn from and rows to be judged on.

import { permutation, seeded } from './random.ts';

/** Row-major [rows, columns]. */
export interface Rows {
  readonly data: Float32Array;
  readonly shape: readonly [rows: number, columns: number];
}

/** Features and targets of the same rows. */
export interface Labelled {
  readonly X: Rows;
  readonly y: Rows;
}

export function takeRows({ data, shape: [, columns] }: Rows, indices: ArrayLike<number>): Rows {
  const taken = new Float32Array(indices.length * columns);
  for (let i = 0; i < indices.length; i++) {
    const from = (indices[i] as number) * columns;
    taken.set(data.subarray(from, from + columns), i * columns);
  }
  return { data: taken, shape: [indices.length, columns] };
}

/** Shuffles with the seed, since rows are often sorted, and holds `share` of them out. */
export function split({ X, y }: Labelled, share: number, seed: number): { train: Labelled; test: Labelled } {
  const order = permutation(X.shape[0], seeded(seed));
  const held = Math.round(order.length * share);
  const part = (indices: Uint32Array): Labelled => ({ X: takeRows(X, indices), y: takeRows(y, indices) });
  return { test: part(order.subarray(0, held)), train: part(order.subarray(held)) };
}

/** Columns to mean 0 and deviation 1 over the first argument's rows; constant columns to 0. */
export function standardise(train: Rows, ...others: readonly Rows[]): Rows[] {
  const [rows, columns] = train.shape;
  const sums = new Float64Array(columns);
  const squares = new Float64Array(columns);
  train.data.forEach((value, i) => {
    sums[i % columns] = (sums[i % columns] as number) + value;
  });
  const means = sums.map((sum) => sum / rows);
  train.data.forEach((value, i) => {
    const j = i % columns;
    squares[j] = (squares[j] as number) + (value - (means[j] as number)) ** 2;
  });
  const inverse = squares.map((square) => (square > 0 ? 1 / Math.sqrt(square / rows) : 0));
  return [train, ...others].map(({ data, shape }) => ({
    data: data.map((value, i) => (value - (means[i % columns] as number)) * (inverse[i % columns] as number)),
    shape,
  }));
}
