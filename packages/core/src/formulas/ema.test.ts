// The update of phase 1 against the weighted mean that it accumulates.

import { describe, expect, it } from 'vitest';
import { type BatchSums, decay, emaUpdate, follow, type MovingGrid } from './ema.js';

const f64 = (...values: number[]): Float64Array => Float64Array.from(values);
const grid = (options: Partial<MovingGrid> = {}): MovingGrid => ({
  distance: 'euclidean',
  prototypes: f64(1, 2, 5, 5),
  ages: f64(2, 3),
  coordinateAges: undefined,
  frozen: [0, 0],
  ...options,
});
const sums = (options: Partial<BatchSums> = {}): BatchSums => ({
  weights: f64(2, 0),
  sums: f64(6, 8, 0, 0),
  ...options,
});

describe('emaUpdate', () => {
  it('moves a prototype to the mean of all its rows, the start counting by its age', () => {
    const g = grid();
    const shift = emaUpdate(g, sums());
    // (2·[1, 2] + [6, 8]) / 4
    expect([...g.prototypes]).toEqual([2, 3, 5, 5]);
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

  it('counts each coordinate by its own weight, and leaves coordinates without values', () => {
    const g = grid({ coordinateAges: f64(4, 4, 3, 3) });
    emaUpdate(g, sums({ coordinateWeights: f64(4, 0, 0, 0), sums: f64(12, 0, 0, 0) }));
    expect([...g.prototypes]).toEqual([1 + (4 / 8) * (3 - 1), 2, 5, 5]);
    expect([...(g.coordinateAges as Float64Array)]).toEqual([8, 4, 3, 3]);
    expect([...g.ages]).toEqual([4, 3]);
  });

  it('treats rows without a mask as complete', () => {
    const g = grid({ coordinateAges: f64(2, 6, 3, 3) });
    emaUpdate(g, sums());
    expect([...g.prototypes]).toEqual([2, 2 + (2 / 8) * (4 - 2), 5, 5]);
    expect([...(g.coordinateAges as Float64Array)]).toEqual([4, 8, 3, 3]);
  });

  it('ages frozen prototypes, and does not move them', () => {
    const g = grid({ frozen: [1, 0] });
    expect(emaUpdate(g, sums())).toBe(0);
    expect([...g.prototypes]).toEqual([1, 2, 5, 5]);
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

describe('follow', () => {
  it('moves what a prototype says by its own η, and leaves it where no row says anything', () => {
    expect([...follow(f64(1, 2), f64(4, 0), 2 / 4)]).toEqual([(2 * 1 + 2 * 4) / 4, (2 * 2 + 2 * 0) / 4]);
    expect([...follow(f64(1, 2), f64(Number.NaN, Number.NaN), 1 / 2)]).toEqual([1, 2]);
  });
});

describe('repulsion', () => {
  const push = { weights: f64(0, 2), sums: f64(0, 0, 8, 14) };
  const none = { weights: f64(0, 0), sums: f64(0, 0, 0, 0), means: f64(Number.NaN, Number.NaN) };

  it('moves a prototype away from the rows that it wrongly attracts, by η·r·(p − mean)', () => {
    const g = grid();
    const shift = emaUpdate(g, { ...none, push }, 0.3);
    // η = W_push / age = 2/3; the mean is [4, 7]
    const rate = (2 / 3) * 0.3;
    expect([...g.prototypes]).toEqual([1, 2, 5 + rate * (5 - 4), 5 + rate * (5 - 7)]);
    expect(shift).toBeCloseTo(rate * Math.hypot(1, 2), 12);
    // They are not its rows: its age does not follow them.
    expect([...g.ages]).toEqual([2, 3]);
  });

  it('counts η as 1 at most', () => {
    const g = grid({ ages: f64(2, 0.5) });
    emaUpdate(g, { ...none, push }, 0.3);
    expect([...g.prototypes]).toEqual([1, 2, 5 + 0.3, 5 - 0.6]);
  });

  it('comes after the pull, at the age that the pull has left', () => {
    const g = grid();
    const rows = { weights: f64(0, 3), sums: f64(0, 0, 27, 15) };
    emaUpdate(g, { ...rows, push }, 0.5);
    // Pulled half way to [9, 5], then pushed by 2/6 · 0.5 from [4, 7].
    expect([...g.prototypes].slice(2)).toEqual([7 + (7 - 4) / 6, 5 + (5 - 7) / 6]);
    expect([...g.ages]).toEqual([2, 6]);
  });

  it('goes coordinate by coordinate where rows are masked', () => {
    const g = grid({ coordinateAges: f64(2, 2, 4, 3) });
    const masked = { ...push, sums: f64(0, 0, 4, 0), coordinateWeights: f64(0, 0, 1, 0) };
    emaUpdate(g, { ...none, coordinateWeights: f64(0, 0, 0, 0), push: masked }, 0.8);
    expect([...g.prototypes]).toEqual([1, 2, 5 + (1 / 4) * 0.8 * (5 - 4), 5]);
    expect([...(g.coordinateAges as Float64Array)]).toEqual([2, 2, 4, 3]);
  });

  it('does nothing at a factor of 0, and to frozen prototypes', () => {
    for (const [held, factor] of [
      [0, 0],
      [1, 0.5],
    ] as const) {
      const g = grid({ frozen: [0, held] });
      expect(emaUpdate(g, { ...none, push }, factor)).toBe(0);
      expect([...g.prototypes]).toEqual([1, 2, 5, 5]);
    }
  });

  it('with cosine leaves a prototype at unit length', () => {
    const g = grid({ distance: 'cosine', prototypes: f64(1, 0, 0, 1) });
    emaUpdate(g, { ...none, push: { weights: f64(0, 1), sums: f64(0, 0, 1, 0) } }, 0.5);
    expect(Math.hypot(g.prototypes[2] as number, g.prototypes[3] as number)).toBeCloseTo(1, 12);
    expect(g.prototypes[2]).toBeLessThan(0);
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
