// The update of phase 1 against the weighted mean that it accumulates.

import { describe, expect, it } from 'vitest';
import { type BatchSums, decay, emaUpdate, type MovingGrid } from './ema.js';

const f64 = (...values: number[]): Float64Array => Float64Array.from(values);
const grid = (options: Partial<MovingGrid> = {}): MovingGrid => ({
  distance: 'euclidean',
  prototypes: f64(1, 2, 5, 5),
  means: f64(1, 2),
  ages: f64(2, 3),
  coordinateAges: undefined,
  frozen: [0, 0],
  ...options,
});
const sums = (options: Partial<BatchSums> = {}): BatchSums => ({
  weights: f64(2, 0),
  sums: f64(6, 8, 0, 0),
  means: f64(4, Number.NaN),
  ...options,
});

describe('emaUpdate', () => {
  it('moves a prototype to the mean of all its rows, the start counting by its age', () => {
    const g = grid();
    const shift = emaUpdate(g, sums());
    // (2·[1, 2] + [6, 8]) / 4
    expect([...g.prototypes]).toEqual([2, 3, 5, 5]);
    expect([...g.means]).toEqual([(2 * 1 + 2 * 4) / 4, 2]);
    expect([...g.ages]).toEqual([4, 3]);
    expect(shift).toBeCloseTo(Math.SQRT2, 12);
  });

  it('in many batches ends where one batch ends', () => {
    const [many, one] = [grid({ ages: f64(0, 0) }), grid({ ages: f64(0, 0) })];
    for (let i = 1; i <= 50; i++) emaUpdate(many, sums({ weights: f64(1, 0), sums: f64(i, -i, 0, 0) }));
    emaUpdate(one, sums({ weights: f64(50, 0), sums: f64(1275, -1275, 0, 0) }));
    expect(many.prototypes[0]).toBeCloseTo(one.prototypes[0] as number, 10);
    expect(many.ages[0]).toBe(50);
  });

  it('counts a coordinate by its own weight, and leaves what nobody reported', () => {
    const g = grid({ coordinateAges: f64(4, 4, 3, 3) });
    emaUpdate(g, sums({ coordinateWeights: f64(4, 0, 0, 0), sums: f64(12, 0, 0, 0) }));
    expect([...g.prototypes]).toEqual([1 + (4 / 8) * (3 - 1), 2, 5, 5]);
    expect([...(g.coordinateAges as Float64Array)]).toEqual([8, 4, 3, 3]);
    expect([...g.ages]).toEqual([4, 3]);
  });

  it('takes rows without a mask as fully reported', () => {
    const g = grid({ coordinateAges: f64(2, 6, 3, 3) });
    emaUpdate(g, sums());
    expect([...g.prototypes]).toEqual([2, 2 + (2 / 8) * (4 - 2), 5, 5]);
    expect([...(g.coordinateAges as Float64Array)]).toEqual([4, 8, 3, 3]);
  });

  it('ages frozen prototypes, and moves neither them nor their targets', () => {
    const g = grid({ frozen: [1, 0] });
    expect(emaUpdate(g, sums())).toBe(0);
    expect([...g.prototypes, ...g.means]).toEqual([1, 2, 5, 5, 1, 2]);
    expect([...g.ages]).toEqual([4, 3]);
  });

  it('with cosine leaves all at unit length but the frozen', () => {
    const g = grid({ distance: 'cosine' });
    emaUpdate(g, sums());
    expect(Math.hypot(g.prototypes[0] as number, g.prototypes[1] as number)).toBeCloseTo(1, 12);
    expect(Math.hypot(g.prototypes[2] as number, g.prototypes[3] as number)).toBeCloseTo(1, 12);
    const held = grid({ distance: 'cosine', frozen: [1, 1] });
    emaUpdate(held, sums());
    expect([...held.prototypes]).toEqual([1, 2, 5, 5]);
  });
});

describe('decay', () => {
  it('halves every halfLife rows', () => {
    const ages = f64(8, 2);
    decay(ages, 20, 10);
    expect([...ages]).toEqual([2, 0.5]);
    decay(ages, 0, 10);
    expect([...ages]).toEqual([2, 0.5]);
  });
});
