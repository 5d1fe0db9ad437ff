// Thresholds against every alternative: trying all of them is slow and obviously right.

import { describe, expect, it } from 'vitest';
import { accuracyScore, f1Score } from '../formulas/metrics.js';
import { Random } from '../random.js';
import { type Judged, type ThresholdMetric, thresholdsOf } from './thresholds.js';

/** Probabilities in tenths, so that many are equal, of rows that are often right. */
function judged(rows: number, labels: number, seed: number, weighted = false): Judged {
  const random = new Random(seed);
  const truth = Float32Array.from({ length: rows * labels }, () => (random.uniform() < 0.3 ? 1 : 0));
  const probabilities = truth.map((y) => Math.round(10 * Math.min(1, 0.3 * y + 0.7 * random.uniform())) / 10);
  const sampleWeight = Float32Array.from({ length: rows }, (_, i) => (weighted ? i % 4 : 1));
  return { probabilities, truth, sampleWeight, labels };
}

function score(judge: Judged, metric: ThresholdMetric, thresholds: ArrayLike<number>): number {
  const { labels, sampleWeight, truth } = judge;
  const predicted = Float32Array.from(judge.probabilities, (p, i) =>
    p > (thresholds[i % labels] as number) ? 1 : 0,
  );
  if (metric !== 'accuracy') {
    const average = metric === 'macroF1' ? 'macro' : 'micro';
    return f1Score(truth as Float32Array, predicted, labels, {
      average,
      sampleWeight: sampleWeight as Float32Array,
    });
  }
  const perDecision = Float32Array.from(predicted, (_, i) => sampleWeight[Math.floor(i / labels)] as number);
  return accuracyScore(truth, predicted, perDecision);
}

/** All pairs of thresholds beside and between the tenths. */
function bestOfPairs(judge: Judged, metric: ThresholdMetric): number {
  const tries = Array.from({ length: 11 }, (_, i) => i / 10 + 0.05);
  return Math.max(0, ...tries.flatMap((a) => tries.map((b) => score(judge, metric, [a, b]))));
}

const metrics = ['macroF1', 'microF1', 'accuracy'] as const;

describe.each(metrics)('%s', (metric) => {
  it.each([1, 2, 3, 4, 5, 6])('is the best that two labels can reach, seed %i', (seed) => {
    const judge = judged(40, 2, seed, seed % 2 === 0);
    expect(score(judge, metric, thresholdsOf(judge, metric))).toBeCloseTo(bestOfPairs(judge, metric), 12);
  });

  it('takes a weight for as many rows, and 0 for none', () => {
    const judge = judged(30, 3, 7, true);
    const rows = Array.from(judge.sampleWeight).flatMap((w, i) => new Array<number>(w).fill(i));
    const repeated = (values: ArrayLike<number>): number[] =>
      rows.flatMap((i) => Array.from({ length: 3 }, (_, c) => values[i * 3 + c] as number));
    const other = {
      probabilities: repeated(judge.probabilities),
      truth: repeated(judge.truth),
      sampleWeight: rows.map(() => 1),
      labels: 3,
    };
    expect(thresholdsOf(judge, metric)).toEqual(thresholdsOf(other, metric));
  });

  it('does not depend on the order of the rows', () => {
    const judge = judged(30, 1, 8);
    const back = <T extends ArrayLike<number>>(values: T): number[] => Array.from(values).reverse();
    const other = { ...judge, probabilities: back(judge.probabilities), truth: back(judge.truth) };
    expect(thresholdsOf(judge, metric)).toEqual(thresholdsOf(other, metric));
  });
});

const one = (probabilities: number[], truth: number[]): Judged => ({
  probabilities: Float32Array.from(probabilities),
  truth,
  sampleWeight: truth.map(() => 1),
  labels: 1,
});
const threshold = (judge: Judged, metric: ThresholdMetric = 'macroF1', smoothing = 0): number =>
  thresholdsOf(judge, metric, smoothing)[0] as number;

describe('a threshold', () => {
  it('lies midways between its neighbours', () => {
    expect(threshold(one([0.25, 0.5, 0.75, 1], [0, 0, 1, 1]))).toBe(0.625);
    expect(threshold(one([0.25, 0.5], [1, 1]))).toBe(0.125);
    expect(threshold(one([0.25, 0.5], [0, 0]), 'accuracy')).toBe(0.75);
  });

  it('passes over rows of weight 0', () => {
    const judge = one([0.25, 0.5, 0.75], [0, 1, 1]);
    expect(threshold({ ...judge, sampleWeight: [1, 0, 1] })).toBe(0.5);
  });

  it('keeps floats apart that nothing lies between', () => {
    const high = 0.3;
    const low = Math.fround(high) - 2 ** -25;
    const at = threshold(one([low, high, high], [0, 1, 1]));
    expect(at).toBeGreaterThanOrEqual(Math.fround(low));
    expect(at).toBeLessThan(Math.fround(high));
  });

  it('is the nearest to 0.5 of equals', () => {
    // One label said, or all four: F1 is 2/3 either way.
    expect(threshold(one([1, 0.75, 0.5, 0.375], [1, 0, 0, 1]))).toBe(0.1875);
    expect(threshold(one([0.75, 0.5, 0.375, 0.25], [1, 0, 0, 1]))).toBe(0.625);
  });

  it('is 0.5 where it changes nothing', () => {
    expect(threshold(one([0.1, 0.9], [0, 0]))).toBe(0.5);
    expect(threshold(one([0, 0], [1, 0]))).toBe(0.5);
    expect(threshold(one([], []))).toBe(0.5);
  });
});

describe('smoothing', () => {
  // One label of 40 positives that wants 0.2 or so, one of a single positive that wants 0.9.
  const two: Judged = (() => {
    const values = Array.from({ length: 80 }, (_, i) => [
      i < 40 ? 0.25 : 0.15,
      i === 0 ? 1 : i === 1 ? 0.8 : 0.1,
    ]);
    const truth = values.map(([a, b]) => [Number((a as number) > 0.2), Number(b === 1)]);
    return {
      probabilities: Float32Array.from(values.flat()),
      truth: truth.flat(),
      sampleWeight: values.map(() => 1),
      labels: 2,
    };
  })();

  it('leaves few positives to the common threshold', () => {
    const [exact, smooth] = [thresholdsOf(two, 'macroF1'), thresholdsOf(two, 'macroF1', 20)];
    expect(Array.from(exact)).toEqual([Math.fround(0.2), Math.fround(0.9)]);
    // The best common threshold is 0.24; 41 positives draw it to 0.5 by 20/61, and each label to it by 20/60 and 20/21.
    const common = 0.5 + (41 / 61) * (0.24 - 0.5);
    expect(smooth[0]).toBeCloseTo(common + (40 / 60) * (0.2 - common), 6);
    expect(smooth[1]).toBeCloseTo(common + (1 / 21) * (0.9 - common), 6);
  });

  it('counts weights relative to their mean', () => {
    const heavy = { ...two, sampleWeight: new Float32Array(80).fill(7) };
    const [a, b] = [thresholdsOf(heavy, 'macroF1', 20), thresholdsOf(two, 'macroF1', 20)];
    a.forEach((t, c) => {
      expect(t).toBeCloseTo(b[c] as number, 6);
    });
  });
});
