// The asymmetric loss against its formulas in float64, with their slopes.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { gradients } from '../graph/gradients.js';
import { sum } from '../graph/ops.js';
import { trace } from '../graph/trace.js';
import { type AsymmetricLoss, asymmetricLoss } from './asymmetric-loss.js';

const p = [0.05, 0.2, 0.4999, 0.7, 0.93, 0.999, 0.03, 0.6];
const y = [0, 1, 0, 1, 0, 1, 1, 0];
const shape = [2, 4];

/** Of one label, by the sentence of docs/method.md §5. */
const formulas: Readonly<
  Record<AsymmetricLoss['variant'], (p: number, y: number, o: AsymmetricLoss) => number>
> = {
  standard: (p, y, { gammaNeg, gammaPos, clip }) => {
    const q = Math.min(1 - p + clip, 1);
    return -(y * (1 - p) ** gammaPos * Math.log(p) + (1 - y) * (1 - q) ** gammaNeg * Math.log(q));
  },
  original: (p, y, { gammaNeg, gammaPos, clip }) => {
    const a = Math.max(1 - p - clip, 0);
    return -(y * a ** gammaPos * Math.log(p) + (1 - y) * p ** gammaNeg * Math.log(a + 1e-8));
  },
};

const inputs = { p: { shape: [-1, 4], dtype: 'float32' }, y: { shape: [-1, 4], dtype: 'float32' } } as const;
const run = (options: AsymmetricLoss, at: readonly number[] = p, labels = y): [number[], number[]] => {
  const graph = trace('loss', inputs, (t) => {
    const rows = asymmetricLoss(t.p, t.y, options);
    return { rows, slopes: gradients(sum(rows), [t.p])[0] as typeof rows };
  });
  const [rows, slopes] = evaluateGraph(graph, [ndarray(at, shape), ndarray(labels, shape)]);
  return [Array.from(rows?.data ?? []), Array.from(slopes?.data ?? [])];
};

describe.each(['standard', 'original'] as const)('the %s loss', (variant) => {
  const formula = formulas[variant];
  it.each([
    [0, 0, 0],
    [2, 0, 0.05],
    [4, 1, 0.05],
    [1, 3, 0.2],
    [2.5, 0.5, 0.1],
    [9, 10, 0],
  ])('with γ− %f, γ+ %f, clip %f', (gammaNeg, gammaPos, clip) => {
    const options = { gammaNeg, gammaPos, clip, variant };
    const [rows, slopes] = run(options);
    const want = [0, 1].map((row) =>
      p.slice(4 * row, 4 * row + 4).reduce((s, v, c) => s + formula(v, y[4 * row + c] as number, options), 0),
    );
    want.forEach((value, row) => {
      expect(Math.abs((rows[row] as number) - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value)));
    });
    // The original's a + 1e-8 has cancelled its digits next to p = 1 − clip.
    p.forEach((value, i) => {
      const kink = Math.min(Math.abs(1 - value - clip), Math.abs(value - clip));
      if (kink < 1e-3) return;
      const h = 1e-6;
      const label = y[i] as number;
      const slope = (formula(value + h / 2, label, options) - formula(value - h / 2, label, options)) / h;
      expect(Math.abs((slopes[i] as number) - slope)).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)));
    });
  });

  it('and its slopes stay finite at 0 and 1', () => {
    const ends = [0, 0, 1, 1, 0, 1, 0, 1];
    for (const [gammaNeg, gammaPos] of [
      [2, 0],
      [4, 1],
      [0.5, 0.5],
    ] as const) {
      const [rows, slopes] = run({ gammaNeg, gammaPos, clip: 0.05, variant }, ends);
      expect([...rows, ...slopes].every(Number.isFinite)).toBe(true);
    }
  });
});

describe('the standard loss', () => {
  const options: AsymmetricLoss = { gammaNeg: 2, gammaPos: 0, clip: 0.05, variant: 'standard' };
  it('leaves negatives below the clip in peace', () => {
    const [rows, slopes] = run(options, new Array(8).fill(0.04), new Array(8).fill(0));
    expect(rows).toEqual([0, 0].map((zero) => expect.closeTo(zero, 12)));
    expect(slopes.every((d) => Math.abs(d) < 1e-12)).toBe(true);
  });
  it('without powers and clip is the binary cross entropy', () => {
    const [rows] = run({ ...options, gammaNeg: 0, clip: 0 });
    const entropy = p.slice(0, 4).reduce((s, v, i) => s - Math.log((y[i] as number) === 1 ? v : 1 - v), 0);
    expect(rows[0]).toBeCloseTo(entropy, 5);
  });
  it('weighs labels', () => {
    const graph = trace('loss', { ...inputs, w: { shape: [4], dtype: 'float32' } }, (t) => ({
      plain: asymmetricLoss(t.p, t.y, options),
      weighed: asymmetricLoss(t.p, t.y, options, t.w),
    }));
    const [plain, weighed] = evaluateGraph(graph, [
      ndarray(p, shape),
      ndarray(y, shape),
      ndarray([2, 2, 2, 2], [4]),
    ]);
    weighed?.data.forEach((value, i) => {
      expect(value).toBeCloseTo(2 * (plain?.data[i] as number), 5);
    });
  });
});
