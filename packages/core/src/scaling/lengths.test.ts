import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ofUnitLength, withoutDenormals } from './lengths.js';

const dense = (rows: number[][]) => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  columns: rows[0]?.length ?? 0,
});
const valuesOf = (x: object): number[] => Array.from((x as { data: Float32Array }).data);

describe('rows of tiny numbers', () => {
  test('are lifted by a power of two, and other rows keep their bits', () => {
    const X = dense([
      [1e-39, 2e-39],
      [1e-29, 0],
      [0, 0],
      [3, -1e-39],
    ]);
    const lifted = valuesOf(withoutDenormals(X, undefined));
    expect(lifted.slice(0, 2)).toEqual([...X.data.slice(0, 2)].map((v) => v * 2 ** 100));
    expect(lifted.slice(2)).toEqual([...X.data.slice(2)]);
  });

  test('X without such rows is X itself', () => {
    const X = dense([[1, 2]]);
    expect(withoutDenormals(X, undefined)).toBe(X);
  });

  test('what a mask hides says nothing of the size of a row', () => {
    const mask = dense([[1, 0]]);
    const lifted = valuesOf(withoutDenormals(dense([[1e-35, 5]]), mask));
    expect(lifted[0]).toBeCloseTo(Math.fround(1e-35) * 2 ** 100, 12);
  });

  test('sparse rows are lifted in their stored values', () => {
    const X = {
      indptr: Int32Array.of(0, 1, 2),
      indices: Int32Array.of(1, 0),
      values: Float32Array.of(1e-38, 1),
      rows: 2,
      columns: 2,
    };
    const { values } = withoutDenormals(X as never, undefined) as unknown as { values: Float32Array };
    expect(Array.from(values)).toEqual([Math.fround(1e-38) * 2 ** 100, 1]);
  });
});

test('rows of any length get the length 1', () => {
  const entries = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(1e-30) }), {
    minLength: 3,
    maxLength: 3,
  });
  fc.assert(
    fc.property(entries, (row) => {
      const length = Math.hypot(...valuesOf(ofUnitLength(dense([row]), undefined)));
      // Three numbers, each rounded to float32.
      expect(Math.abs(length - 1)).toBeLessThan(3 * 2 ** -24);
    }),
  );
});
