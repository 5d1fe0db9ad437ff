// Sparse rows say what the same rows say when they are dense; what cannot be read is named with its place.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../errors.js';
import { type Csr, type Rows, takeRows, toRows } from './matrix.js';
import {
  beside,
  blockRowsOf,
  checkFeatures,
  denseRows,
  isSparse,
  type SparseRows,
  takeFeatures,
  toFeatures,
  visitRow,
} from './sparse.js';

const place = { call: 'fit', argument: 'X' };
const csr: Csr = { indptr: [0, 2, 2, 3], indices: [0, 3, 1], values: [1, 2, 3], shape: [3, 4] };
const sparseOf = (matrix: Csr): SparseRows => {
  const x = toFeatures(matrix, place);
  if (!isSparse(x)) throw new Error('not sparse');
  return x;
};

/** Rows, and the same ones as CSR: some with nothing stored, some with zeros stored. */
const both = fc
  .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 200 }))
  .chain(([rows, columns]) =>
    fc.tuple(
      fc.constant(columns),
      fc.array(
        fc.uniqueArray(fc.tuple(fc.nat(columns - 1), fc.integer({ min: -3, max: 3 })), {
          selector: ([column]) => column,
          maxLength: 9,
        }),
        { minLength: rows, maxLength: rows },
      ),
    ),
  )
  .map(([columns, rows]) => {
    const dense: Rows = { data: new Float32Array(rows.length * columns), rows: rows.length, columns };
    const indptr = [0];
    for (const [i, row] of rows.entries()) {
      for (const [column, value] of row) dense.data[i * columns + column] = value;
      indptr.push((indptr[i] as number) + row.length);
    }
    const stored = rows.flat();
    const matrix: Csr = {
      indptr,
      indices: stored.map(([column]) => column),
      values: stored.map(([, value]) => value),
      shape: [rows.length, columns],
    };
    return { dense, sparse: sparseOf(matrix) };
  });

describe('toFeatures', () => {
  it('takes CSR of arrays and of typed arrays, ones where no values are given', () => {
    const x = sparseOf(csr);
    expect(denseRows(x).data).toEqual(Float32Array.of(1, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 0));
    expect(sparseOf({ ...csr, indices: Uint16Array.of(0, 3, 1), values: undefined }).values).toEqual(
      Float32Array.of(1, 1, 1),
    );
  });
  it('keeps typed arrays without a copy', () => {
    const own = {
      indptr: Uint32Array.of(0, 1),
      indices: Int32Array.of(2),
      values: Float32Array.of(5),
      shape: [1, 3] as const,
    };
    const x = sparseOf(own);
    expect([x.indptr, x.indices, x.values].every((a) => Object.values(own).includes(a as never))).toBe(true);
  });
  it('sorts the columns of a row on a copy', () => {
    const [indices, values] = [Int32Array.of(2, 0, 1), Float32Array.of(3, 1, 2)];
    const x = sparseOf({ indptr: [0, 3], indices, values, shape: [1, 3] });
    expect([x.indices, x.values]).toEqual([Int32Array.of(0, 1, 2), Float32Array.of(1, 2, 3)]);
    expect([indices, values]).toEqual([Int32Array.of(2, 0, 1), Float32Array.of(3, 1, 2)]);
  });
  it('takes dense rows as ever, and no rows', () => {
    expect(toFeatures([[1, 2]], place)).toEqual(toRows([[1, 2]], place));
    expect(sparseOf({ indptr: [0], indices: [], shape: [0, 4] })).toMatchObject({ rows: 0, columns: 4 });
  });
  it.each([
    [
      'pointers for other rows',
      { ...csr, indptr: [0, 2, 3] },
      ShapeError,
      'X.indptr has 3 values, 3 rows want 4',
    ],
    [
      'pointers that begin late',
      { ...csr, indptr: [1, 2, 2, 3] },
      ShapeError,
      'X.indptr is 1 at 0 and should be 0',
    ],
    [
      'pointers that fall',
      { ...csr, indptr: [0, 2, 1, 3] },
      ShapeError,
      'X.indptr is 1 at 2 and should not fall below 2',
    ],
    [
      'pointers that end early',
      { ...csr, indptr: [0, 1, 1, 2] },
      ShapeError,
      'should be 3, the number of indices',
    ],
    [
      'half a pointer',
      { ...csr, indptr: [0, 1.5, 2, 3] },
      ShapeError,
      'X.indptr is 1.5 at 1 and should be an integer',
    ],
    [
      'values of another length',
      { ...csr, values: [1] },
      ShapeError,
      'X.values has 1 values, there are 3 indices',
    ],
    ['no indices', { ...csr, indices: undefined }, ShapeError, 'X.indices should be an array of numbers'],
    ['values of a text', { ...csr, values: 'abc' }, ShapeError, 'X.values should be an array of numbers'],
    ['a shape of one axis', { ...csr, shape: [3] }, ShapeError, 'X.shape should be [rows, columns], got [3]'],
    ['a column beyond', { ...csr, indices: [0, 3, 4] }, DataError, 'stores column 4 in row 2'],
    ['a column below 0', { ...csr, indices: [-1, 3, 1] }, DataError, 'stores column -1 in row 0'],
    ['half a column', { ...csr, indices: [0, 2.5, 1] }, DataError, 'stores column 2.5 in row 0'],
    ['a column twice', { ...csr, indices: [3, 3, 1] }, DataError, 'stores column 3 of row 0 twice'],
    ['other columns than the model', csr, ShapeError, 'X has 4 columns, this model was fitted on 5', 5],
  ] as [string, Csr, typeof ShapeError, string, number?][])(
    'refuses %s',
    (_, matrix, kind, says, columns) => {
      const call = (): unknown => toFeatures(matrix, place, columns);
      expect(call).toThrow(kind);
      expect(call).toThrow(says);
    },
  );
  it('names the place of what is not finite, unless it is masked', () => {
    const x = sparseOf({ ...csr, values: [1, 2, Number.NaN] });
    expect(() => checkFeatures(x, place)).toThrow('X has NaN in row 2, column 1. Remove the row, or mask');
    expect(() => checkFeatures(x, place, toRows([[1, 0, 1, 1]], place))).not.toThrow();
    expect(() => checkFeatures(x, place, toRows([[1, 1, 1, 0]], place))).toThrow(DataError);
  });
  it('is refused where rows have to be dense', () => {
    expect(() => toRows(csr, { call: 'fit', argument: 'y' })).toThrow(
      'fit: y is sparse, and should be number[][]',
    );
  });
});

describe('sparse rows', () => {
  it('are visited, and all of a dense row is', () => {
    const seen: [number, number][] = [];
    visitRow(sparseOf(csr), 0, (column, value) => seen.push([column, value]));
    visitRow(toRows([[7, 0]], place), 0, (column, value) => seen.push([column, value]));
    expect(seen).toEqual([
      [0, 1],
      [3, 2],
      [0, 7],
      [1, 0],
    ]);
  });
  it('taken in an order are the dense rows taken in that order', () => {
    fc.assert(
      fc.property(both, fc.array(fc.nat(6), { maxLength: 12 }), ({ dense, sparse }, picks) => {
        const order = picks.filter((row) => row < dense.rows);
        const begin = order.length >> 2;
        const taken = takeFeatures(sparse, order, begin, order.length);
        expect(denseRows(taken)).toEqual(takeRows(dense, order, begin, order.length));
      }),
    );
  });
  it('beside others are the dense rows beside them', () => {
    fc.assert(
      fc.property(both, fc.integer({ min: 1, max: 3 }), fc.nat(), ({ dense, sparse }, columns, seed) => {
        const data = Float32Array.from({ length: dense.rows * columns }, (_, i) => (i * (seed % 7)) % 3);
        const other = { data, rows: dense.rows, columns };
        const joined = beside(sparse, other, 0.5);
        expect(isSparse(joined)).toBe(true);
        expect(denseRows(joined)).toEqual(beside(dense, other, 0.5));
      }),
    );
  });
});

describe('denseRows', () => {
  it('is a block of the dense rows', () => {
    fc.assert(
      fc.property(both, fc.nat(7), fc.nat(7), ({ dense, sparse }, a, b) => {
        const [begin, end] = [Math.min(a, b, dense.rows), Math.min(Math.max(a, b), dense.rows)];
        expect(denseRows(sparse, begin, end)).toEqual(denseRows(dense, begin, end));
      }),
    );
  });
  it('of dense rows is those rows, without a copy', () => {
    const x: Rows = { data: Float32Array.of(1, 2, 3, 4), rows: 2, columns: 2 };
    expect(denseRows(x, 1, 2)).toEqual({ data: Float32Array.of(3, 4), rows: 1, columns: 2 });
    expect(denseRows(x, 1, 2).data.buffer).toBe(x.data.buffer);
  });
  it('goes in blocks that are bounded in memory', () => {
    const wide = { ...sparseOf(csr), columns: 2 ** 20 };
    expect(blockRowsOf(wide, 4096)).toBe(8);
    expect(blockRowsOf({ ...wide, columns: 2 ** 30 }, 4096)).toBe(1);
    expect(blockRowsOf(sparseOf(csr), 4096)).toBe(4096);
    expect(blockRowsOf({ data: new Float32Array(0), rows: 0, columns: 2 ** 30 }, 4096)).toBe(4096);
  });
});
