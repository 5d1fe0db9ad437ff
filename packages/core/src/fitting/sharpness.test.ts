// The factor that rows tell: of logits that are too flat by a known factor, with few rows, weights and label smoothing.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { Random } from '../random.js';
import { type JudgedClasses, sharpnessOf } from './sharpness.js';

/** Rows whose class is drawn from the softmax of `factor` times their logits, with `smoothing` spread over what the logits say. */
function judged(rows: number, factor: number, { classes = 4, smoothing = 0, seed = 3 } = {}): JudgedClasses {
  const random = new Random(seed);
  const [logits, truth]: [number[], number[]] = [[], []];
  for (let i = 0; i < rows; i++) {
    const true_ = Array.from({ length: classes }, () => 4 * random.uniform() * factor);
    const powers = true_.map(Math.exp);
    const total = powers.reduce((a, b) => a + b, 0);
    const p = powers.map((power) => power / total);
    truth.push(random.weighted(p, 1));
    for (const share of p) logits.push(Math.log((1 - smoothing) * share + smoothing / classes) / factor);
  }
  return {
    logits: ndarray(logits, [rows, classes]),
    truth,
    sampleWeight: new Float32Array(rows).fill(1),
    smoothing,
  };
}

describe('the sharpness of logits that are too flat by a factor', () => {
  // At 4,000 rows its error is about 2 %.
  it.each([0.5, 1, 1.5, 3])('of %f is that', (factor) => {
    expect(Math.log(sharpnessOf(judged(4000, factor)) / factor)).toBeCloseTo(0, 1);
  });

  it.each([
    [1.5, 0.1],
    [1, 0.3],
  ])('of %f beside label smoothing %f too', (factor, smoothing) => {
    expect(Math.log(sharpnessOf(judged(4000, factor, { smoothing })) / factor)).toBeCloseTo(0, 1);
  });

  it('stays near 1 where few rows tell, and between 0.1 and 10 whatever they tell', () => {
    const few = sharpnessOf(judged(5, 3));
    expect(few).toBeGreaterThan(0.8);
    expect(few).toBeLessThan(1.3);
    const sure = {
      ...judged(1000, 1),
      logits: ndarray(
        new Float32Array(4000).map((_, i) => Number(i % 4 === 0)),
        [1000, 4],
      ),
    };
    expect(sharpnessOf({ ...sure, truth: new Array(1000).fill(0) })).toBeLessThanOrEqual(10);
    expect(sharpnessOf({ ...sure, truth: new Array(1000).fill(1) })).toBeGreaterThanOrEqual(0.1);
  });

  it('takes weights: 0 for absent, and no factor of all of them', () => {
    const all = judged(400, 1.5);
    const twice = { ...all, sampleWeight: new Float32Array(400).fill(1e-6) };
    expect(sharpnessOf(twice)).toBeCloseTo(sharpnessOf(all), 6);
    const half = { ...all, sampleWeight: Float32Array.from({ length: 400 }, (_, i) => (i < 200 ? 2 : 0)) };
    const alone = {
      ...all,
      logits: ndarray(all.logits.data.slice(0, 800), [200, 4]),
      sampleWeight: new Float32Array(200).fill(1),
    };
    // A row of weight 0 changes no sum; the mean weight, which the prior is relative to, is of the rows that count.
    expect(sharpnessOf(half)).toBeCloseTo(sharpnessOf(alone), 6);
  });

  it('gives equal bits for equal rows', () => {
    expect(sharpnessOf(judged(300, 2))).toBe(sharpnessOf(judged(300, 2)));
  });
});
