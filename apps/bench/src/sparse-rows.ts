// Sparse rows of the data sets: as CSR for the estimators, subsets of rows, and nearest neighbours by cosine.

import type { Csr } from '@fkm/core';
import type { StoredSet } from './stored.ts';

/** CSR of typed arrays. */
export interface SparseRows extends Csr {
  readonly indptr: Uint32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

export const toCsr = ({ shape, indptr, indices, data }: StoredSet['csr'][string]): SparseRows => ({
  shape,
  indptr: Uint32Array.from(indptr),
  indices: Int32Array.from(indices),
  values: data ? Float32Array.from(data) : new Float32Array(indices.length).fill(1),
});

export function takeCsr({ indptr, indices, values, shape }: SparseRows, rows: ArrayLike<number>): SparseRows {
  const starts = new Uint32Array(rows.length + 1);
  const range = (i: number): [number, number] => {
    const row = rows[i] as number;
    return [indptr[row] as number, indptr[row + 1] as number];
  };
  for (let i = 0; i < rows.length; i++) {
    const [begin, end] = range(i);
    starts[i + 1] = (starts[i] as number) + end - begin;
  }
  const taken = {
    indices: new Int32Array(starts[rows.length] as number),
    values: new Float32Array(starts[rows.length] as number),
  };
  for (let i = 0; i < rows.length; i++) {
    const [begin, end] = range(i);
    taken.indices.set(indices.subarray(begin, end), starts[i]);
    taken.values.set(values.subarray(begin, end), starts[i]);
  }
  return { ...taken, indptr: starts, shape: [rows.length, shape[1]] };
}

/** 1 / length of each row; 0 for an empty one. */
function inverseLengths({ indptr, values, shape }: SparseRows): Float64Array {
  return Float64Array.from({ length: shape[0] }, (_, i) => {
    let squares = 0;
    for (let e = indptr[i] as number; e < (indptr[i + 1] as number); e++)
      squares += (values[e] as number) ** 2;
    return squares > 0 ? 1 / Math.sqrt(squares) : 0;
  });
}

/** The transpose: for each column, the rows that store a value and the values. */
function columnsOf({ indptr, indices, values, shape }: SparseRows): SparseRows {
  const [rows, columns] = shape;
  const starts = new Uint32Array(columns + 1);
  for (const column of indices) starts[column + 1] = (starts[column + 1] as number) + 1;
  for (let j = 0; j < columns; j++) starts[j + 1] = (starts[j + 1] as number) + (starts[j] as number);
  const next = starts.slice();
  const turned = { indices: new Int32Array(indices.length), values: new Float32Array(indices.length) };
  for (let i = 0; i < rows; i++) {
    for (let e = indptr[i] as number; e < (indptr[i + 1] as number); e++) {
      const at = next[indices[e] as number] as number;
      next[indices[e] as number] = at + 1;
      turned.indices[at] = i;
      turned.values[at] = values[e] as number;
    }
  }
  return { ...turned, indptr: starts, shape: [columns, rows] };
}

/** Indices [queries, k] of the rows with the highest cosine, highest first (ties: the lowest). */
export function nearestByCosine(rows: Csr, queries: Csr, k: number): Uint32Array {
  const [among, asked] = [rows as SparseRows, queries as SparseRows];
  const count = among.shape[0];
  if (k > count) throw new RangeError(`nearestByCosine: k is ${k}, there are ${count} rows.`);
  const inverse = inverseLengths(among);
  const columns = columnsOf(among);
  const found = new Uint32Array(asked.shape[0] * k);
  const scores = new Float64Array(count);
  const best = new Float64Array(k);
  for (let q = 0; q < asked.shape[0]; q++) {
    scores.fill(0);
    for (let e = asked.indptr[q] as number; e < (asked.indptr[q + 1] as number); e++) {
      const [column, value] = [asked.indices[e] as number, asked.values[e] as number];
      for (let at = columns.indptr[column] as number; at < (columns.indptr[column + 1] as number); at++) {
        const row = columns.indices[at] as number;
        scores[row] = (scores[row] as number) + value * (columns.values[at] as number);
      }
    }
    const own = found.subarray(q * k, (q + 1) * k);
    best.fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < count; i++) {
      const score = (scores[i] as number) * (inverse[i] as number);
      if (score <= (best[k - 1] as number)) continue;
      let place = k - 1;
      for (; place > 0 && (best[place - 1] as number) < score; place--) {
        best[place] = best[place - 1] as number;
        own[place] = own[place - 1] as number;
      }
      best[place] = score;
      own[place] = i;
    }
  }
  return found;
}
