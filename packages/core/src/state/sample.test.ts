// The sample of a source that scalers are fitted to: a weight is as many rows, in the whole and in what is drawn of it.

import { describe, expect, it } from 'vitest';
import { StandardScaler } from '../estimators/scalers.js';
import { Random } from '../random.js';
import { sourceOf } from '../streams/testing.js';
import { sampleOf } from './sample.js';
import type { Source } from './source.js';

const random = new Random(4);
const X = Array.from({ length: 60 }, (_, i) => [random.uniform(), i < 50 ? random.uniform() : 1000]);
const weights = X.map((_, i) => (i < 50 ? random.below(4) : i % 2));
const weighted = (unit = 1, size = 7): Source =>
  sourceOf(X, undefined, size, {
    with: (begin, end) => ({ sampleWeight: weights.slice(begin, end).map((w) => w * unit) }),
  });
const repeated = X.flatMap((row, i) => Array.from({ length: weights[i] as number }, () => row));

describe('a sample of weighted rows', () => {
  it.each([1, 1e-6, 3e4])('scales as one of repeated rows, in units of %d', async (unit) => {
    const [some, all] = [new StandardScaler(), new StandardScaler()];
    await some.fit(weighted(unit));
    await all.fit(sourceOf(repeated, undefined, 7));
    const [got, wanted] = [some.transform(X).data, all.transform(X).data];
    got.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 4);
    });
  });

  it('has no row of weight 0', async () => {
    const { X: rows } = await sampleOf(weighted(), 'fit');
    expect(rows.shape).toEqual([weights.filter((w) => w > 0).length, 2]);
  });

  it('stands for all rows where it is drawn: heavy ones stay, and light ones weigh more', async () => {
    const n = 4000;
    const values = Array.from({ length: n }, (_, i) => [i / n]);
    // Weights from 1 to 3, and a few rows that weigh as much as a thousand.
    const w = values.map((_, i) => (i % 500 === 3 ? 1000 : 1 + (2 * i) / n));
    const source = sourceOf(values, undefined, 300, {
      with: (begin, end) => ({ sampleWeight: w.slice(begin, end) }),
    });
    const { X: rows, sampleWeight } = await sampleOf(source, 'fit', 1000);
    const drawn = sampleWeight as Float32Array;
    expect(rows.shape).toEqual([1000, 1]);
    const mean = (x: ArrayLike<number>, by: ArrayLike<number>): number => {
      let [sum, total] = [0, 0];
      for (let i = 0; i < x.length; i++) {
        sum += (x[i] as number) * (by[i] as number);
        total += by[i] as number;
      }
      return sum / total;
    };
    const total = (by: ArrayLike<number>): number => Array.from(by).reduce((a, b) => a + b, 0);
    expect(Array.from(drawn).filter((v) => v === 1000)).toHaveLength(8);
    // Both are unbiased; their standard errors over seeds are below 1 % here.
    expect(total(drawn) / total(w)).toBeCloseTo(1, 1);
    expect(mean(rows.data, drawn)).toBeCloseTo(
      mean(
        values.map(([x]) => x as number),
        w,
      ),
      1,
    );
  });
});
