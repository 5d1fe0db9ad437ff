// Row-major arrays of the data sets, and the split into training and test rows.

import { permutation, seeded } from './random.ts';

/** Row-major [rows, columns]. */
export interface Rows {
  readonly data: Float32Array;
  readonly shape: readonly [rows: number, columns: number];
}

/** Features and targets of the same rows: y is numbers, class codes [N, 1], or 0/1 labels [N, C]. */
export interface Labelled {
  readonly X: Rows;
  readonly y: Rows;
  /** 1 present, 0 missing; absent if no value is missing. */
  readonly mask?: Rows;
}

/** Training rows and test rows. */
export interface Parts {
  readonly train: Labelled;
  readonly test: Labelled;
}

export function takeRows({ data, shape: [, columns] }: Rows, indices: ArrayLike<number>): Rows {
  const taken = new Float32Array(indices.length * columns);
  for (let i = 0; i < indices.length; i++) {
    const from = (indices[i] as number) * columns;
    taken.set(data.subarray(from, from + columns), i * columns);
  }
  return { data: taken, shape: [indices.length, columns] };
}

export const takeLabelled = ({ X, y, mask }: Labelled, indices: ArrayLike<number>): Labelled => ({
  X: takeRows(X, indices),
  y: takeRows(y, indices),
  ...(mask ? { mask: takeRows(mask, indices) } : {}),
});

/** Shuffles by seed, since rows are often sorted; holds out `share` of them, and trains on at most `most` of the others. */
export function split(rows: Labelled, share: number, seed: number, most?: number): Parts {
  const order = permutation(rows.X.shape[0], seeded(seed));
  const held = Math.round(order.length * share);
  return {
    test: takeLabelled(rows, order.subarray(0, held)),
    train: takeLabelled(rows, order.subarray(held, most && held + most)),
  };
}

/** Standardises features by the training rows; constant columns and missing values become 0. */
export function standardise({ train, test }: Parts): { rows: Rows; queries: Rows } {
  const columns = train.X.shape[1];
  const counts = new Float64Array(columns);
  const means = new Float64Array(columns);
  const squares = new Float64Array(columns);
  // Welford's algorithm: one pass, accurate for large means.
  train.X.data.forEach((value, i) => {
    if (train.mask?.data[i] === 0) return;
    const j = i % columns;
    const gap = value - (means[j] as number);
    counts[j] = (counts[j] as number) + 1;
    means[j] = (means[j] as number) + gap / (counts[j] as number);
    squares[j] = (squares[j] as number) + gap * (value - (means[j] as number));
  });
  const inverse = squares.map((square, j) => (square > 0 ? Math.sqrt((counts[j] as number) / square) : 0));
  const scaled = ({ X, mask }: Labelled): Rows => ({
    data: X.data.map((value, i) => {
      const j = i % columns;
      return mask?.data[i] === 0 ? 0 : (value - (means[j] as number)) * (inverse[j] as number);
    }),
    shape: X.shape,
  });
  return { rows: scaled(train), queries: scaled(test) };
}
