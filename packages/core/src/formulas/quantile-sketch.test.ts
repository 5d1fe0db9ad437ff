// A sketch tells the quantiles of rows that come in parts, as the rows themselves do.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { addToSketch, PinballTally, pinball, quantileOf } from './quantile-sketch.js';

const random = new Random(3);
const values = Array.from({ length: 5000 }, () => -Math.log(1 - random.uniform()));
const ones = (count: number): number[] => new Array<number>(count).fill(1);
const exact = (of: readonly number[], tau: number): number =>
  [...of].sort((a, b) => a - b)[Math.ceil(tau * of.length) - 1] as number;

describe('a sketch', () => {
  it('of fewer values than points holds each, and its quantile is the least that enough of them do not exceed', () => {
    const few = [3, 1, 2, 2, 5, 4, 9, 7, 8, 6];
    const sketch = new Float64Array(128);
    addToSketch(sketch, few, ones(10));
    for (const tau of [0.05, 0.1, 0.5, 0.9, 0.95]) expect(quantileOf(sketch, tau)).toBe(exact(few, tau));
  });

  it('of many values that came in parts finds their quantiles within 2 % of the rows, in points that stay few', () => {
    const sketch = new Float64Array(128);
    for (let at = 0; at < values.length; at += 250)
      addToSketch(sketch, values.slice(at, at + 250), ones(250));
    expect(sketch.subarray(64).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(5000, 6);
    for (const tau of [0.01, 0.1, 0.5, 0.9, 0.99]) {
      const found = quantileOf(sketch, tau);
      const share = values.filter((value) => value <= found).length / values.length;
      expect(Math.abs(share - tau), `${tau}`).toBeLessThan(0.02);
    }
  });

  it('takes a weight as repeated rows, and knows no unit of weights', () => {
    const weighted = new Float64Array(16);
    const repeated = new Float64Array(16);
    const small = values.slice(0, 60);
    const weights = small.map((_, i) => 1 + (i % 3));
    addToSketch(
      weighted,
      small,
      weights.map((w) => 2 ** -20 * w),
    );
    const rows = small.flatMap((value, i) => new Array<number>(weights[i] as number).fill(value));
    addToSketch(repeated, rows, ones(rows.length));
    for (const tau of [0.1, 0.5, 0.9])
      expect(quantileOf(weighted, tau)).toBeCloseTo(quantileOf(repeated, tau), 12);
  });

  it('says nothing without a row', () => {
    expect(quantileOf(new Float64Array(16), 0.5)).toBeNaN();
  });
});

describe('the pinball score', () => {
  const taus = [0.1, 0.5, 0.9];
  const lossOf = (constant: (tau: number) => number): number =>
    values.reduce((sum, y) => sum + taus.reduce((part, tau) => part + pinball(y, constant(tau), tau), 0), 0);

  it('is 1 less the ratio to the constants that are best', () => {
    const predicted = values.flatMap((y) => [0.5 * y, y, 1.5 * y]);
    const tally = new PinballTally(taus);
    for (let at = 0; at < values.length; at += 500)
      tally.add(values.slice(at, at + 500), predicted.slice(3 * at, 3 * (at + 500)));
    const own = values.reduce((sum, y) => sum + pinball(y, 0.5 * y, 0.1) + pinball(y, 1.5 * y, 0.9), 0);
    const best = lossOf((tau) => exact(values, tau));
    expect(tally.value).toBeCloseTo(1 - own / best, 4);
  });

  it('of the best constants is 0, of the rows themselves 1', () => {
    const tally = new PinballTally(taus);
    tally.add(
      values.slice(0, 400),
      values.slice(0, 400).flatMap(() => taus.map((tau) => exact(values.slice(0, 400), tau))),
    );
    expect(tally.value).toBeCloseTo(0, 10);
    const right = new PinballTally(taus);
    right.add(
      values,
      values.flatMap((y) => [y, y, y]),
    );
    expect(right.value).toBe(1);
  });
});
