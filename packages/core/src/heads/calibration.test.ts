// What is undone to probabilities, against float64: round trips through what training does, order, sums.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { type Tensor, trace } from '../graph/trace.js';
import { type AsymmetricLoss, shareOfPositives } from './asymmetric-loss.js';
import { onHost, shareOfRows, unsmoothed } from './calibration.js';

/** From 0 to 1, denser at both ends. */
const ascending = [
  0,
  1e-6,
  1e-4,
  ...Array.from({ length: 999 }, (_, i) => (i + 1) / 1000),
  0.9999,
  1 - 1e-6,
  1,
];

function expectAscending(shares: ArrayLike<number>): void {
  expect([shares[0], shares[shares.length - 1]]).toEqual([0, 1]);
  for (let i = 1; i < shares.length; i++) {
    expect(shares[i], `at ${ascending[i]}`).toBeGreaterThan(shares[i - 1] as number);
  }
}

const ofRow = (q: readonly number[], undo: (q: Tensor) => Tensor): number[] => {
  const shape = [-1, q.length];
  const graph = trace('undo', { q: { shape, dtype: 'float32' } }, (t) => ({ p: undo(t.q) }));
  return Array.from(evaluateGraph(graph, [ndarray(q, [1, q.length])])[0]?.data ?? []);
};

describe('label smoothing undone', () => {
  it.each([
    [0.1, [0.2, 0.8]],
    [0.1, [0.5, 0.3, 0.2]],
    [0.3, [0.05, 0.95]],
    [0.9, [0.6, 0.4]],
    [0.1, Array.from({ length: 26 }, (_, c) => (c + 1) / 351)],
  ])('of ε = %f gives back %j', (smoothing, p) => {
    const q = p.map((share) => (1 - smoothing) * share + smoothing / p.length);
    ofRow(q, (t) => unsmoothed(t, smoothing)).forEach((share, c) => {
      expect(share).toBeCloseTo(p[c] as number, 5);
    });
  });

  it.each([
    ['certain', [0.998, 0.001, 0.0006, 0.0004]],
    ['far below the smoothing', [0.97, 0.029, 1e-5, 0.00099]],
    ['in doubt', [0.26, 0.25, 0.249, 0.241]],
  ])('keeps the order of a row that is %s, leaves no 0, and adds up to 1', (_what, q) => {
    const p = ofRow(q, (t) => unsmoothed(t, 0.1));
    expect(p.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    const order = (row: number[]): number[] =>
      row.map((_, c) => c).sort((a, b) => (row[b] as number) - (row[a] as number));
    expect(order(p)).toEqual(order(q));
    expect(Math.min(...p)).toBeGreaterThan(0);
    expect(Math.max(...p)).toBeGreaterThan(Math.max(...q));
  });

  it('of 0 changes no bit', () => {
    const q = [0.123456, 0.876544];
    expect(ofRow(q, (t) => unsmoothed(t, 0))).toEqual(q.map(Math.fround));
  });
});

describe('the share of positives', () => {
  /** L₁ and L₀ of SPEC §5, in float64. */
  const losses: Readonly<
    Record<AsymmetricLoss['variant'], (p: number, o: AsymmetricLoss) => [number, number]>
  > = {
    standard: (p, { gammaNeg, gammaPos, clip }) => {
      const rest = Math.max(p - clip, 0);
      return [-((1 - p) ** gammaPos) * Math.log(p), -(rest ** gammaNeg) * Math.log(1 - rest)];
    },
    original: (p, { gammaNeg, gammaPos, clip }) => {
      const a = Math.max(1 - p - clip, 0);
      return [-(a ** gammaPos) * Math.log(p), -(p ** gammaNeg) * Math.log(a + 1e-8)];
    },
  };
  const cases = (['standard', 'original'] as const).flatMap((variant) =>
    (
      [
        [2, 0, 0.05],
        [0, 0, 0],
        [0, 0, 0.05],
        [4, 1, 0.05],
        [1, 3, 0.2],
        [0.5, 0.5, 0],
        [2.5, 0.5, 0.1],
        [9, 10, 0],
      ] as const
    ).map(([gammaNeg, gammaPos, clip]) => ({ variant, gammaNeg, gammaPos, clip })),
  );
  const shareOf = (at: readonly number[], options: AsymmetricLoss): Float32Array =>
    onHost(at, (p) => shareOfPositives(p, options));

  describe.each(cases)('by the $variant loss, γ− $gammaNeg, γ+ $gammaPos, clip $clip', (options) => {
    it('rises with p from 0 to 1', () => {
      expectAscending(shareOf(ascending, options));
    });

    // The minimum of the loss over a grid of a million points, for shares whose minimum lies within a factor of ten of them.
    it.each([0.1, 0.25, 0.5, 0.75, 0.9])(
      'gives %f back from where the loss of such rows is least',
      (share) => {
        const top = options.variant === 'original' ? 1 - options.clip : 1;
        let [best, least] = [0, Number.POSITIVE_INFINITY];
        for (let i = 1; i < 1e5; i++) {
          const p = (i / 1e5) * top;
          const [positive, negative] = losses[options.variant](p, options);
          const loss = share * positive + (1 - share) * negative;
          if (loss < least) [best, least] = [p, loss];
        }
        const found = shareOf([best], options)[0] as number;
        // At a kink, and within the limits, several shares have their minimum.
        const around = shareOf([best - 2e-5 * top, Math.min(best + 2e-5 * top, 1)], options);
        const [low, high] = [around[0] as number, around[1] as number];
        const limit = Math.max(
          best / share,
          share / best,
          (1 - best) / (1 - share),
          (1 - share) / (1 - best),
        );
        if (limit < 9) {
          expect(share).toBeGreaterThan(low - 2e-3);
          expect(share).toBeLessThan(high + 2e-3);
        } else expect(found).toBeGreaterThan(0);
      },
    );
  });

  it('is p itself without powers and clip', () => {
    const at = [0.001, 0.2, 0.5, 0.77, 0.999];
    shareOf(at, { gammaNeg: 0, gammaPos: 0, clip: 0, variant: 'standard' }).forEach((share, i) => {
      expect(share).toBeCloseTo(at[i] as number, 5);
    });
  });

  it('is .312 for p = .5 with the default options', () => {
    // B = .45²/.55 − 2·.45·log .55, A = 2
    const b = 0.45 ** 2 / 0.55 - 0.9 * Math.log(0.55);
    const [share] = shareOf([0.5], { gammaNeg: 2, gammaPos: 0, clip: 0.05, variant: 'standard' });
    expect(share).toBeCloseTo(b / (2 + b), 6);
    expect(share).toBeCloseTo(0.3118, 4);
  });

  it('is recovered from 0.9·share + 0.05 of phase 1, and rises with it', () => {
    const shares = [0.02, 0.1, 0.5, 0.9, 0.98];
    onHost(
      shares.map((share) => 0.9 * share + 0.05),
      shareOfRows,
    ).forEach((share, i) => {
      expect(share).toBeCloseTo(shares[i] as number, 6);
    });
    expectAscending(onHost(ascending, shareOfRows));
  });
});
