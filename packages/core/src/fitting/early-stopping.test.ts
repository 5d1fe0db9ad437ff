// What the losses of waiting rows decide; runs that they decide on are in estimators/running.test.ts.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { type Compared, decide, losablePart } from './early-stopping.js';

const rows = 400;
const weights = new Float64Array(rows).fill(1);

/** Losses of rows of which some are harder than others: the mean difference of two is `shift` ± .5 / √rows. */
function losses(shift: number, seed: number): Float64Array {
  const [hard, own] = [new Random(1), new Random(seed)];
  const spread = Math.sqrt(12) / 2 / Math.SQRT2;
  return Float64Array.from({ length: rows }, () => {
    const common = 5 * hard.uniform();
    return common + shift + spread * (own.uniform() - 0.5);
  });
}

/** Losses whose mean is so many standard errors, of .5 / √400 each, above those of the best epoch. */
const behindBy = (errors: number, ahead = 40): Compared => {
  const best = losses(0, 2);
  const raw = losses(0, 3);
  const error = 0.5 / Math.sqrt(rows);
  const gap = raw.reduce((sum, v, i) => sum + v - (best[i] as number), 0) / rows;
  const now = raw.map((v) => v - gap + errors * error);
  return { best, now, constant: losses(ahead * error, 4) };
};

describe('decide', () => {
  it.each([
    [-3, 'join'],
    [0, 'join'],
    [0.3, 'join'],
    [0.8, 'continue'],
    [1.7, 'continue'],
    [2.4, 'stop'],
    [8, 'stop'],
  ] as const)('numbers whose average is %s standard errors behind its best epoch: %s', (errors, next) => {
    expect(decide(behindBy(errors), weights, 0)).toBe(next);
  });

  it('lets classes lose a part of the lead first', () => {
    // A twentieth of a lead of 100 standard errors is 5 of them.
    expect(decide(behindBy(4, 100), weights, 0)).toBe('stop');
    expect(decide(behindBy(4, 100), weights, 0.05)).toBe('join');
    expect(decide(behindBy(6, 100), weights, 0.05)).toBe('continue');
    expect(decide(behindBy(9, 100), weights, 0.05)).toBe('stop');
  });

  it('joins no run that a constant answer is as good as', () => {
    expect(decide(behindBy(0, -1), weights, 0)).toBe('continue');
    expect(decide(behindBy(0, 0.2), weights, 0)).toBe('continue');
    expect(decide(behindBy(0, 4), weights, 0)).toBe('join');
  });

  it('joins where the epoch is the best one itself', () => {
    const { best, constant } = behindBy(0);
    expect(decide({ now: best, best, constant }, weights, 0)).toBe('join');
  });

  it('counts rows by their weight', () => {
    const { now, best, constant } = behindBy(0);
    // The second half alone has learned noise.
    const spoiled = now.map((v, i) => v + (i < rows / 2 ? 0 : 0.4));
    const half = weights.map((_, i) => Number(i < rows / 2));
    expect(decide({ now: spoiled, best, constant }, weights, 0)).toBe('stop');
    expect(decide({ now: spoiled, best, constant }, half, 0)).not.toBe('stop');
    expect(
      decide(
        { now: spoiled, best, constant },
        half.map((w) => 7 * w),
        0,
      ),
    ).toBe(decide({ now: spoiled, best, constant }, half, 0));
  });
});

it.each([
  ['class', 1999, 0.05],
  ['class', 2000, null],
  ['all', 1999, 0],
  ['all', 2000, 0],
] as const)(
  'candidates %s of %d waiting rows: what may be lost of the lead before they join',
  (candidates, waiting, part) => {
    expect(losablePart(candidates, waiting)).toBe(part);
  },
);
