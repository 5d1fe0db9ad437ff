// Expected numbers are scikit-learn's (1.2.1).

import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../errors.js';
import { accuracyScore, f1Score, r2Score } from './metrics.js';

describe('r2Score', () => {
  const truth = [3, 0.5, -0.5, 1, 2, 1, 7, 8];
  const predicted = [2.5, 0, 0, 2, 2, 2, 8, 9];
  const sampleWeight = [1, 2, 0.5, 3];

  it('is the mean over the columns, with and without weights', () => {
    expect(r2Score(truth, predicted, 2)).toBeCloseTo(0.9323008375047134, 14);
    expect(r2Score(truth, predicted, 2, sampleWeight)).toBeCloseTo(0.9383621443577441, 14);
    expect(r2Score([3, -0.5, 2, 7], [2.5, 0, 2, 8], 1, sampleWeight)).toBeCloseTo(0.9463401210787011, 14);
  });

  it('of a constant column is 1 where it is met exactly, else 0', () => {
    expect(r2Score([2, 2, 2], [2, 2, 2])).toBe(1);
    expect(r2Score([2, 2, 2], [2, 2, 3])).toBe(0);
    expect(r2Score([1.3, 0.1, 0.1], [1, 0.1, 0.2], 1, [0, 1, 2])).toBe(0);
  });
});

describe('accuracyScore', () => {
  it('is the share of the weight that is met', () => {
    const [truth, predicted] = [[3, 1, 2, 2, 7, 1], Int32Array.of(3, 2, 2, 1, 7, 1)];
    expect(accuracyScore(truth, predicted)).toBeCloseTo(0.6666666666666666, 15);
    expect(accuracyScore(truth, predicted, [1, 2, 0.5, 3, 0, 1])).toBeCloseTo(0.3333333333333333, 15);
  });

  it('takes names, and a name is no number', () => {
    expect(accuracyScore(['a', 'b', 'c', 'a'], ['a', 'c', 'c', 'a'])).toBe(0.75);
    expect(accuracyScore(['1', '2'], [1, 2])).toBe(0);
  });
});

describe('f1Score', () => {
  const truth = [1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1];
  const predicted = [1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1];
  const sampleWeight = [1, 2, 0.5, 3, 0, 1];

  // The third label is neither true nor predicted anywhere.
  it.each([
    ['macro', 0.5303571428571429, 0.431055900621118, 0.3303571428571429],
    ['micro', 0.7, 0.5957446808510638, 0.5555555555555556],
  ] as const)(
    '%s: plain, weighted, and with a label that is never predicted',
    (average, plain, weighted, withoutOne) => {
      const lacking = predicted.map((value, i) => (i % 4 === 1 ? 0 : value));
      expect(f1Score(truth, predicted, 4, { average })).toBeCloseTo(plain, 14);
      expect(f1Score(truth, predicted, 4, { average, sampleWeight })).toBeCloseTo(weighted, 14);
      expect(f1Score(truth, lacking, 4, { average })).toBeCloseTo(withoutOne, 14);
    },
  );

  it('is 0 where no row has a label, and macro unless said otherwise', () => {
    expect(f1Score([0, 0], [0, 0], 2)).toBe(0);
    expect(f1Score(truth, predicted, 4)).toBe(f1Score(truth, predicted, 4, { average: 'macro' }));
  });
});

it('lengths that do not fit, and no rows at all, are errors', () => {
  expect(() => accuracyScore([1, 2], [1])).toThrow(ShapeError);
  expect(() => accuracyScore([1, 2], [1, 2], [1])).toThrow('sampleWeight has 1 values, there are 2 rows');
  expect(() => f1Score([1, 0, 1], [1, 0, 1], 2)).toThrow('truth has 3 values, which 2 columns do not divide');
  expect(() => r2Score([], [])).toThrow(DataError);
});
