// Figures of calibration by hand.

import { expect, it } from 'vitest';
import { judgeClasses, judgeLabels } from './probabilities.ts';

it('judgeClasses scores the class of the largest probability', () => {
  // Bins of .9 (two rows, one right) and of .6 (one, right).
  const { ece, excess, logLoss, score } = judgeClasses([0.9, 0.1, 0.1, 0.9, 0.6, 0.4], [0, 0, 0], 2);
  expect(ece).toBeCloseTo((Math.abs(1.8 - 1) + Math.abs(0.6 - 1)) / 3, 12);
  expect(excess).toBeCloseTo((2.4 - 2) / 3, 12);
  expect(logLoss).toBeCloseTo(-(Math.log(0.9) + Math.log(0.1) + Math.log(0.6)) / 3, 12);
  expect(score).toBeCloseTo(2 / 3, 12);
});

it('judgeClasses counts a class without training rows as probability 0', () => {
  expect(judgeClasses([1, 0], [-1], 2).logLoss).toBeCloseTo(-Math.log(1e-15), 9);
});

it('judgeLabels scores every decision', () => {
  const y = { data: Float32Array.of(1, 0, 0, 0), shape: [2, 2] as const };
  const { ece, excess, logLoss, score } = judgeLabels([0.8, 0.25, 0.2, 0.25], y);
  expect(excess).toBeCloseTo((1.5 - 1) / 4, 12);
  expect(ece).toBeCloseTo((0.2 + 0.2 + 0.5) / 4, 12);
  expect(logLoss).toBeCloseTo(-(2 * Math.log(0.8) + 2 * Math.log(0.75)) / 4, 12);
  expect(score).toBeCloseTo(0.5, 12);
});
