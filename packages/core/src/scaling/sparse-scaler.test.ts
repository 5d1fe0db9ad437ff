import { expect, it } from 'vitest';
import { denseRows, type SparseRows, toFeatures } from '../data/sparse.js';
import { scaleStored, unitOf } from './sparse-scaler.js';

const place = { call: 'fit', argument: 'X' };
const rows = (values: number[]): SparseRows =>
  toFeatures({ indptr: [0, 2, 2, 3], indices: [0, 3, 1], values, shape: [3, 4] }, place) as SparseRows;

it('unitOf gives the stored values that are not 0 a mean square of 1', () => {
  expect(unitOf(rows([3, 4, 5]))).toBeCloseTo(Math.sqrt(3 / 50), 12);
  expect(unitOf(rows([3, 0, 4]))).toBeCloseTo(Math.sqrt(2 / 25), 12);
  expect(unitOf(rows([0, 0, 0]))).toBe(1);
});

it('unitOf does not see what is masked', () => {
  const x = rows([3, Number.NaN, 4]);
  expect(unitOf(x, { data: Float32Array.of(1, 1, 1, 0), rows: 1, columns: 4 })).toBeCloseTo(
    Math.sqrt(2 / 25),
    12,
  );
  const each = new Float32Array(12).fill(1);
  each[3] = 0;
  each[9] = 0;
  expect(unitOf(x, { data: each, rows: 3, columns: 4 })).toBeCloseTo(1 / 3, 12);
});

it('unitOf counts a row of weight w as w rows, and one of weight 0 not at all', () => {
  const dense = [
    [1, 0, 4],
    [0, 100, 0],
    [0, 0, 0],
    [7, 2, 0],
  ];
  const weights = [3, 0, 5, 1];
  const csr = (rows: readonly number[][]): SparseRows => {
    const stored = rows.map((row) => row.flatMap((value, j) => (value === 0 ? [] : [[j, value] as const])));
    const ends = stored.map((_, i) => stored.slice(0, i + 1).flat().length);
    return {
      indptr: Uint32Array.of(0, ...ends),
      indices: Int32Array.from(stored.flat(), ([j]) => j),
      values: Float32Array.from(stored.flat(), ([, value]) => value),
      rows: rows.length,
      columns: 3,
    };
  };
  const repeated = dense.flatMap((row, i) => Array.from({ length: weights[i] as number }, () => row));
  for (const unit of [1, 0.25]) {
    const weighted = unitOf(
      csr(dense),
      undefined,
      Float32Array.from(weights, (w) => w * unit),
    );
    expect(weighted).toBeCloseTo(unitOf(csr(repeated)), 12);
  }
  const mask = { data: Float32Array.of(0, 1, 1), rows: 1, columns: 3 };
  expect(unitOf(csr(dense), mask, Float32Array.from(weights))).toBeCloseTo(unitOf(csr(repeated), mask), 12);
});

it('scaleStored multiplies by the factors of the columns', () => {
  const scaled = scaleStored(rows([3, 4, 5]), [2, 3, 0, 0.5]);
  expect(denseRows(scaled).data).toEqual(Float32Array.of(6, 0, 0, 2, 0, 0, 0, 0, 0, 15, 0, 0));
});
