// The statistic against textbook numbers, its laws, and how often it is beyond 2 where nothing differs.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { pairedDifference, weightedMean } from './paired-difference.js';

const [a, b] = [
  [3, 5, 4, 9],
  [2, 3, 1, 3],
];
const ones = [1, 1, 1, 1];
/** Student's t of the differences 1, 2, 3, 6: mean 3, variance 14/3. */
const t = 3 / Math.sqrt(14 / 3 / 4);

describe('pairedDifference', () => {
  it('is Student’s t of the differences', () => {
    expect(pairedDifference(a, b, ones)).toBeCloseTo(t, 12);
    expect(pairedDifference(b, a, ones)).toBeCloseTo(-t, 12);
  });

  it.each([
    ['what rows have in common', a.map((v, i) => v + 1e6 * i), b.map((v, i) => v + 1e6 * i), ones],
    ['a common factor of the weights', a, b, ones.map(() => 1e-9)],
    ['rows of weight 0', [...a, 99], [...b, -5], [...ones, 0]],
    ['the order of the rows', [...a].reverse(), [...b].reverse(), ones],
  ])('does not see %s', (_, now, before, weights) => {
    expect(pairedDifference(now, before, weights)).toBeCloseTo(t, 9);
  });

  it('weighs the rows', () => {
    // d = 1, 2, 3, 6 with weights 1, 2, 1, 0: mean 2, n = 3, Σ w²(d − 2)² = 2, Σ w = 4.
    expect(pairedDifference(a, b, [1, 2, 1, 0])).toBeCloseTo(2 / (Math.sqrt((3 / 2) * 2) / 4), 12);
  });

  it('has no error where all differences are alike, and says nothing of one row', () => {
    expect(pairedDifference([2, 3], [1, 2], [1, 1])).toBe(Number.POSITIVE_INFINITY);
    expect(pairedDifference([1, 2], [2, 3], [1, 1])).toBe(Number.NEGATIVE_INFINITY);
    expect(pairedDifference(a, a, ones)).toBe(0);
    expect(pairedDifference([2], [1], [1])).toBe(0);
    expect(pairedDifference([2, 5], [1, 1], [1, 0])).toBe(0);
  });

  it('is beyond 2 in about a fortieth of draws where nothing differs, with weights too', () => {
    const random = new Random(3);
    const draws = 2000;
    const beyond = (weight: () => number): number => {
      let count = 0;
      for (let i = 0; i < draws; i++) {
        const draw = (): number[] => Array.from({ length: 100 }, () => random.uniform());
        if (pairedDifference(draw(), draw(), Array.from({ length: 100 }, weight)) > 2) count++;
      }
      return count / draws;
    };
    // Of a normal .0228; 2,000 draws are off by .0033.
    for (const weight of [() => 1, () => random.uniform()]) {
      const rate = beyond(weight);
      expect(rate).toBeGreaterThan(0.012);
      expect(rate).toBeLessThan(0.036);
    }
  });
});

it('weightedMean divides by the sum of the weights', () => {
  expect(weightedMean([1, 2, 6], [1, 0, 3])).toBe(19 / 4);
});
