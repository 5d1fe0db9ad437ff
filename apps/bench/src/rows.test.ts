import { describe, expect, it } from 'vitest';
import { type Rows, split, standardise, takeRows } from './rows.ts';

const rows = (columns: number, ...data: number[]): Rows => ({
  data: Float32Array.from(data),
  shape: [data.length / columns, columns],
});
const numbered = (n: number) => ({
  X: rows(2, ...Array.from({ length: 2 * n }, (_, i) => i)),
  y: rows(1, ...Array.from({ length: n }, (_, i) => i)),
});

it('takeRows takes rows in the order asked, repeats included', () => {
  expect(takeRows(rows(2, 1, 2, 3, 4, 5, 6), [2, 0, 2])).toEqual(rows(2, 5, 6, 1, 2, 5, 6));
});

describe('split', () => {
  it('holds the share out, and every row lands on exactly one side with its target', () => {
    const { train, test } = split(numbered(50), 0.2, 3);
    expect(test.X.shape).toEqual([10, 2]);
    expect(train.y.shape).toEqual([40, 1]);
    const all = [...train.y.data, ...test.y.data];
    expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    for (const { X, y } of [train, test]) {
      y.data.forEach((target, i) => {
        expect(X.data[2 * i]).toBe(2 * target);
      });
    }
  });

  it('repeats with its seed, and another seed gives another split', () => {
    const held = (seed: number) => split(numbered(50), 0.2, seed).test.y.data;
    expect(held(3)).toEqual(held(3));
    expect(held(4)).not.toEqual(held(3));
  });
});

it('standardise measures on the first rows alone, and a constant column becomes 0', () => {
  const [train, test] = standardise(rows(2, 0, 7, 2, 7), rows(2, 4, 9));
  expect(train?.data).toEqual(Float32Array.of(-1, 0, 1, 0));
  expect(test?.data).toEqual(Float32Array.of(3, 0));
});
