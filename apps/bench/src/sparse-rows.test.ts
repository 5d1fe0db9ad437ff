import { expect, it } from 'vitest';
import { nearestByCosine, takeCsr, toCsr } from './sparse-rows.ts';

/** [1 0 2], [0 0 0], [0 3 0], [1 0 1] */
const rows = toCsr({
  shape: [4, 3],
  indptr: [0, 2, 2, 3, 5],
  indices: [0, 2, 1, 0, 2],
  data: [1, 2, 3, 1, 1],
});

it('rows are taken in an order, ones where no values are stored', () => {
  expect(takeCsr(rows, [3, 1, 2])).toEqual({
    shape: [3, 3],
    indptr: Uint32Array.of(0, 2, 2, 3),
    indices: Int32Array.of(0, 2, 1),
    values: Float32Array.of(1, 1, 3),
  });
  const ones = toCsr({ shape: [1, 3], indptr: [0, 2], indices: [0, 1], data: null });
  expect(ones.values).toEqual(Float32Array.of(1, 1));
});

it('neighbours are those of the highest cosine, whatever their length', () => {
  const queries = toCsr({ shape: [3, 3], indptr: [0, 1, 3, 4], indices: [2, 0, 2, 1], data: [9, 5, 5, 1] });
  expect(nearestByCosine(rows, queries, 2)).toEqual(Uint32Array.of(0, 3, 3, 0, 2, 0));
});
