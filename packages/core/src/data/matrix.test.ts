// What users hand in becomes rows; what cannot is named with its place. The calls' own tests have the whole table.

import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../errors.js';
import { checkFinite, repeatMask, takeRows, toFlags, toMask, toRows, toVector, toWeights } from './matrix.js';

const place = { call: 'fit', argument: 'X' };
const x = toRows(
  [
    [1, 2],
    [3, 4],
    [5, 6],
  ],
  place,
);

describe('toRows', () => {
  it('takes nested, typed and flat matrices', () => {
    const want = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 3, columns: 2 };
    expect(x).toEqual(want);
    expect(toRows([Float64Array.of(1, 2), [3, 4], Int8Array.of(5, 6)], place)).toEqual(want);
    expect(toRows({ data: [1, 2, 3, 4, 5, 6], shape: [3, 2] }, place)).toEqual(want);
    expect(toRows([[true, false] as never], place).data).toEqual(Float32Array.of(1, 0));
  });
  it('keeps a flat Float32Array without a copy', () => {
    const data = new Float32Array(6);
    expect(toRows({ data, shape: [2, 3] }, place).data).toBe(data);
  });
  it('takes no rows, with the columns that are expected', () => {
    expect(toRows([], place, 4)).toEqual({ data: new Float32Array(0), rows: 0, columns: 4 });
    expect(toRows({ data: [], shape: [0, 4] }, place, 4).columns).toBe(4);
    expect(() => toRows({ data: [], shape: [0, 3] }, place, 4)).toThrow(ShapeError);
  });
  it('says numbers as fields too', () => {
    expect(() => toRows([[1], [1, 2]], place)).toThrow(
      expect.objectContaining({ kind: 'shape', details: { argument: 'X', row: 1, columns: 2, expected: 1 } }),
    );
  });
  it('counts what is no number as NaN, which checkFinite names', () => {
    const odd = toRows(
      [
        [1, '2' as never],
        [null as never, 3],
      ],
      place,
    );
    expect(() => checkFinite(odd, place)).toThrow(
      expect.objectContaining({
        kind: 'data',
        details: { argument: 'X', row: 0, column: 1, value: Number.NaN },
      }),
    );
  });
});

describe('checkFinite', () => {
  it('skips masked values, a row of the mask for all or one each', () => {
    const odd = toRows(
      [
        [Number.NaN, 2],
        [3, Infinity],
      ],
      place,
    );
    expect(() =>
      checkFinite(
        odd,
        place,
        toRows(
          [
            [0, 1],
            [1, 0],
          ],
          place,
        ),
      ),
    ).not.toThrow();
    expect(() => checkFinite(odd, place, toRows([[0, 1]], place))).toThrow('Infinity in row 1, column 1');
    expect(() => checkFinite(odd, { call: 'fit', argument: 'y' })).toThrow(
      /^\[fkm\/core\] fit: y has NaN in row 0, column 0\.$/,
    );
  });
});

describe('vectors', () => {
  it('have the length that is expected', () => {
    expect(toVector([1, 2], 2, place)).toEqual(Float32Array.of(1, 2));
    expect(() => toVector([1], 2, place)).toThrow(ShapeError);
  });
  it('of weights are finite, at least 0 and not all 0', () => {
    expect(toWeights(undefined, 2, 'fit')).toBeUndefined();
    expect(toWeights([0, 2], 2, 'fit')).toEqual(Float32Array.of(0, 2));
    for (const bad of [
      [-1, 1],
      [Number.NaN, 1],
      [Infinity, 1],
      [0, 0],
    ]) {
      expect(() => toWeights(bad, 2, 'fit')).toThrow(DataError);
    }
  });
  it('of flags are booleans or 0 and 1', () => {
    expect(toFlags(undefined, 2, place)).toEqual(Uint8Array.of(1, 1));
    expect(toFlags([true, false], 2, place)).toEqual(Uint8Array.of(1, 0));
    expect(toFlags([0, 1], 2, place)).toEqual(Uint8Array.of(0, 1));
    expect(() => toFlags([2, 1], 2, place)).toThrow(DataError);
  });
});

describe('toMask', () => {
  it('is one row for all, or one a row', () => {
    expect(toMask(undefined, x, 'fit')).toBeUndefined();
    expect(toMask([1, 0], x, 'fit')).toMatchObject({ rows: 1, columns: 2 });
    expect(
      toMask(
        [
          [1, 0],
          [0, 1],
          [1, 1],
        ],
        x,
        'fit',
      ),
    ).toMatchObject({ rows: 3 });
    for (const bad of [
      [1],
      [
        [1, 0],
        [0, 1],
      ],
      [[1, 0, 1]],
    ])
      expect(() => toMask(bad as never, x, 'fit')).toThrow(ShapeError);
  });
  it('is repeated where each row needs its own', () => {
    const mask = toMask([1, 0], x, 'fit');
    expect(repeatMask(mask as never, 3).data).toEqual(Float32Array.of(1, 0, 1, 0, 1, 0));
  });
});

describe('takeRows', () => {
  it('takes rows in an order, into a buffer where given', () => {
    expect(takeRows(x, [2, 0, 1], 0, 2)).toEqual({ data: Float32Array.of(5, 6, 1, 2), rows: 2, columns: 2 });
    const into = new Float32Array(8);
    expect(takeRows(x, [2, 0, 1], 1, 3, into).data.buffer).toBe(into.buffer);
    expect(into.subarray(0, 4)).toEqual(Float32Array.of(1, 2, 3, 4));
  });
});
