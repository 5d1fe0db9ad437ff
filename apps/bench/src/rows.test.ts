import { describe, expect, it } from 'vitest';
import { type Labelled, type Rows, split, standardise, takeRows } from './rows.ts';

const rows = (columns: number, ...data: number[]): Rows => ({
  data: Float32Array.from(data),
  shape: [data.length / columns, columns],
});
const numbered = (n: number): Labelled => ({
  X: rows(2, ...Array.from({ length: 2 * n }, (_, i) => i)),
  y: rows(1, ...Array.from({ length: n }, (_, i) => i)),
});
const parts = (train: Omit<Labelled, 'y'>, test: Omit<Labelled, 'y'>) => ({
  train: { ...train, y: rows(1) },
  test: { ...test, y: rows(1) },
});

it('takeRows takes rows in the order asked, repeats included', () => {
  expect(takeRows(rows(2, 1, 2, 3, 4, 5, 6), [2, 0, 2])).toEqual(rows(2, 5, 6, 1, 2, 5, 6));
});

describe('split', () => {
  it('holds the share out, and every row lands on exactly one side with its target and mask', () => {
    const all = numbered(50);
    const { train, test } = split({ ...all, mask: all.X }, 0.2, 3);
    expect(test.X.shape).toEqual([10, 2]);
    expect(train.y.shape).toEqual([40, 1]);
    const targets = [...train.y.data, ...test.y.data];
    expect(targets.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    for (const { X, y, mask } of [train, test]) {
      expect(mask).toEqual(X);
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

  it('fewer training rows leave the held-out rows as they were', () => {
    const few = split(numbered(50), 0.2, 3, 15);
    expect(few.train.X.shape).toEqual([15, 2]);
    expect(few.test).toEqual(split(numbered(50), 0.2, 3).test);
  });
});

describe('standardise', () => {
  it('measures on the training rows alone, and a constant column becomes 0', () => {
    const all = standardise(parts({ X: rows(2, 0, 7, 2, 7) }, { X: rows(2, 4, 9) }));
    expect(all.rows.data).toEqual(Float32Array.of(-1, 0, 1, 0));
    expect(all.queries.data).toEqual(Float32Array.of(3, 0));
  });

  it('missing values take no part and become the mean', () => {
    const train = { X: rows(1, 0, Number.NaN, 2), mask: rows(1, 1, 0, 1) };
    const all = standardise(parts(train, { X: rows(1, Number.NaN, 4), mask: rows(1, 0, 1) }));
    expect(all.rows.data).toEqual(Float32Array.of(-1, 0, 1));
    expect(all.queries.data).toEqual(Float32Array.of(0, 3));
  });

  it('keeps the digits of a column far from 0', () => {
    const { rows: scaled } = standardise(parts({ X: rows(1, 65536, 65537, 65538) }, { X: rows(1) }));
    expect(scaled.data[2]).toBeCloseTo(Math.sqrt(1.5), 6);
  });
});
