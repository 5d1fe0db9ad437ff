// Scalers against plain float64 reckoning: moments, ranks, and the binary search that a graph does with gathers.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rows } from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { BATCH } from '../graph/ir.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import { Random } from '../random.js';
import { normalQuantile } from './normal.js';
import {
  applyScaler,
  applyScalerToMask,
  fitScaler,
  type ScalerArrays,
  type Scaling,
  scaledColumns,
} from './scaler.js';

const rowsOf = (X: readonly (readonly number[])[]): Rows => ({
  data: Float32Array.from(X.flat()),
  rows: X.length,
  columns: (X[0] as number[]).length,
});

function apply(
  scaling: Scaling,
  arrays: ScalerArrays,
  x: Rows,
  what: typeof applyScaler = applyScaler,
): number[][] {
  const specs: Record<string, TensorSpec> = {
    x: { shape: [BATCH, x.columns], dtype: 'float32' },
    ...Object.fromEntries(Object.entries(arrays).map(([name, { shape, dtype }]) => [name, { shape, dtype }])),
  };
  const graph = trace('scale', specs, (t: Readonly<Record<string, Tensor>>) => ({
    out: what(scaling, t.x as Tensor, t),
  }));
  const inputs = [ndarray(x.data, [x.rows, x.columns]), ...Object.values(arrays)];
  const out = evaluateGraph(graph, inputs)[0] as NdArray;
  const [rows, columns] = out.shape as [number, number];
  return Array.from({ length: rows }, (_, i) =>
    Array.from(out.data.subarray(i * columns, (i + 1) * columns)),
  );
}

/** Rank-to-normal of x among values: exact at their distinct values, linear between neighbours, constant outside. */
function rankOracle(values: readonly number[], x: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const score = (v: number): number => {
    const below = sorted.filter((s) => s < v).length;
    const upTo = sorted.filter((s) => s <= v).length;
    return Math.max(-4, Math.min(4, normalQuantile((below + upTo) / 2 / sorted.length)));
  };
  const distinct = [...new Set(sorted)];
  const low = distinct.filter((v) => v <= x).pop();
  const high = distinct.find((v) => v > x);
  if (low === undefined) return score(distinct[0] as number);
  if (high === undefined) return score(low);
  return score(low) + ((x - low) / (high - low)) * (score(high) - score(low));
}

const random = new Random(1);
const X = Array.from({ length: 150 }, () => [
  random.uniform() * 10,
  random.uniform() ** 4,
  random.below(5),
  7,
]);
const column = (j: number): number[] => X.map((x) => Math.fround(x[j] as number));

describe('fitScaler and applyScaler', () => {
  it("'standard' gives mean 0 and deviation 1, and clips at 6", () => {
    const arrays = fitScaler('standard', rowsOf(X));
    const out = apply('standard', arrays, rowsOf(X));
    for (let j = 0; j < 3; j++) {
      const values = column(j);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      out.forEach((row, i) => {
        expect(row[j]).toBeCloseTo(((values[i] as number) - mean) / deviation, 5);
      });
    }
    expect(apply('standard', arrays, rowsOf([[1e6, -1e6, 2, 7]]))[0]?.slice(0, 2)).toEqual([6, -6]);
  });

  it("'quantile' is the rank among the rows, as a normal score", () => {
    const arrays = fitScaler('quantile', rowsOf(X));
    const probes = [...X.slice(0, 40), [-5, -5, -5, 7], [50, 50, 50, 7], [5.5, 0.5, 2.5, 7]];
    const out = apply('quantile', arrays, rowsOf(probes));
    probes.forEach((probe, i) => {
      for (let j = 0; j < 3; j++) {
        expect(out[i]?.[j]).toBeCloseTo(rankOracle(column(j), Math.fround(probe[j] as number)), 4);
      }
    });
  });

  it('keeps to 255 knots on many rows, and stays near the rank', () => {
    const many = Array.from({ length: 3000 }, () => [random.uniform() ** 3]);
    const arrays = fitScaler('quantile', rowsOf(many));
    expect(arrays['scaler.knots']?.shape).toEqual([256]);
    const values = many.map((x) => Math.fround(x[0] as number));
    const out = apply('quantile', arrays, rowsOf(many));
    const worst = Math.max(
      ...values.slice(0, 200).map((v, i) => {
        const want = rankOracle(values, v);
        return Math.abs(want) > 2 ? 0 : Math.abs((out[i]?.[0] as number) - want);
      }),
    );
    expect(worst).toBeLessThan(0.02);
  });

  it("'dual' is both, side by side; 'none' is neither", () => {
    const all = (scaling: Scaling): number[][] => apply(scaling, fitScaler(scaling, rowsOf(X)), rowsOf(X));
    const [standard, quantile] = [all('standard'), all('quantile')];
    expect(all('dual')).toEqual(standard.map((row, i) => [...row, ...(quantile[i] as number[])]));
    expect(fitScaler('none', rowsOf(X))).toEqual({});
    expect(apply('none', {}, rowsOf(X))).toEqual(X.map((row) => row.map(Math.fround)));
  });

  it('drops constant columns, but the last one', () => {
    for (const scaling of ['standard', 'quantile', 'dual'] as const) {
      const arrays = fitScaler(scaling, rowsOf(X));
      expect([...(arrays['scaler.columns']?.data ?? [])]).toEqual([0, 1, 2]);
      expect(scaledColumns(scaling, 4, arrays)).toBe(scaling === 'dual' ? 6 : 3);
      const flat = rowsOf([
        [3, 4],
        [3, 4],
      ]);
      const out = apply(scaling, fitScaler(scaling, flat), flat).flat();
      for (const value of out) expect(value).toBeCloseTo(0, 6);
    }
  });

  it('takes no part of masked values, and masks both copies of a column', () => {
    const mask = rowsOf(X.map((row, i) => row.map((_, j) => Number((i + j) % 3 > 0))));
    const spoiled = rowsOf(X);
    mask.data.forEach((m, at) => {
      if (m === 0) spoiled.data[at] = at % 2 === 0 ? Number.NaN : 1e30;
    });
    for (const scaling of ['standard', 'quantile', 'dual'] as const) {
      const arrays = fitScaler(scaling, spoiled, mask);
      expect(arrays).toEqual(fitScaler(scaling, rowsOf(X), mask));
      const kept = X.filter((_, i) => (i + 0) % 3 > 0).map((row) => Math.fround(row[0] as number));
      if (scaling !== 'quantile') {
        expect(arrays['scaler.mean']?.data[0]).toBeCloseTo(kept.reduce((a, b) => a + b, 0) / kept.length, 4);
      }
      const masks = apply(scaling, arrays, mask, applyScalerToMask);
      masks.forEach((row, i) => {
        const own = [0, 1, 2].map((j) => mask.data[i * 4 + j] as number);
        expect(row).toEqual(scaling === 'dual' ? [...own, ...own] : own);
      });
    }
  });

  it('holds values that differ by next to nothing, or enormously', () => {
    for (const scaling of ['standard', 'quantile', 'dual'] as const) {
      const odd = rowsOf([
        [1e-41, 1e8, 1e20],
        [0, 1e8 + 8, -1e20],
        [1e-41, 1e8, 0],
      ]);
      const out = apply(scaling, fitScaler(scaling, odd), odd).flat();
      expect(out.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('laws', () => {
  it('a larger value never scales to less', () => {
    const value = fc.integer({ min: -40, max: 40 }).map((v) => v / 4);
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 2, maxLength: 40 }),
        fc.array(value, { minLength: 2, maxLength: 20 }),
        (fitted, probes) => {
          const sorted = [...probes].sort((a, b) => a - b);
          for (const scaling of ['standard', 'quantile', 'dual'] as const) {
            const arrays = fitScaler(scaling, rowsOf(fitted.map((v) => [v])));
            const out = apply(scaling, arrays, rowsOf(sorted.map((v) => [v])));
            for (let i = 1; i < out.length; i++) {
              for (let j = 0; j < (out[i] as number[]).length; j++) {
                expect(out[i]?.[j]).toBeGreaterThanOrEqual((out[i - 1]?.[j] as number) - 1e-6);
              }
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('the search by gathers is the plain search', () => {
    const value = fc.integer({ min: -20, max: 20 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 70 }), value, (fitted, probe) => {
        if (new Set(fitted).size < 2) return;
        const arrays = fitScaler('quantile', rowsOf(fitted.map((v) => [v])));
        const [got] = apply('quantile', arrays, rowsOf([[probe], [probe + 0.5]]));
        expect(got?.[0]).toBeCloseTo(rankOracle(fitted, probe), 4);
      }),
      { numRuns: 150 },
    );
  });
});
