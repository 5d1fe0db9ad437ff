import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { toFeatures } from '../data/sparse.js';
import { Random } from '../random.js';
import { addRows, type HostSums, spreadOf, summedByIndex } from './host-sums.js';
import type { GridSpec } from './spec.js';

const place = { call: 'test', argument: 'X' };

function sumsOf(
  X: number[][] | Parameters<typeof toFeatures>[0],
  weights: number[],
  index: number[],
  heads: number,
  prototypes: number,
  mask?: number[][],
): HostSums {
  const x = toFeatures(X, place);
  const { columns, rows } = x;
  return addRows(
    { heads, prototypes, columns },
    {
      x,
      y: { data: new Float32Array(0), rows, columns: 0 },
      sampleWeight: Float32Array.from(weights),
      mask: mask && toRows(mask, place),
    },
    Int32Array.from(index),
  );
}

describe('addRows', () => {
  it('adds every row at its prototype with its weight, for any number of columns', () => {
    for (const columns of [1, 3, 4, 5, 8, 11]) {
      const random = new Random(columns);
      const X = Array.from({ length: 20 }, () =>
        Array.from({ length: columns }, () => Math.fround(random.uniform())),
      );
      const weights = X.map((_, i) => i % 3);
      const index = X.map(() => random.below(4));
      const { sums, weights: totals } = sumsOf(X, weights, index, 1, 4);
      for (let k = 0; k < 4; k++) {
        const own = X.map((x, i) => ({ x, w: weights[i] as number })).filter((_, i) => index[i] === k);
        expect(totals[k]).toBe(own.reduce((a, { w }) => a + w, 0));
        for (let j = 0; j < columns; j++) {
          expect(sums[k * columns + j]).toBeCloseTo(
            own.reduce((a, { x, w }) => a + w * (x[j] as number), 0),
            12,
          );
        }
      }
    }
  });

  it('counts a row once in every head, whose prototypes follow one another', () => {
    const { weights, sums } = sumsOf([[1], [10]], [1, 2], [0, 1, 1, 1], 2, 4);
    expect([...weights]).toEqual([1, 2, 0, 3]);
    expect([...sums]).toEqual([1, 20, 0, 21]);
  });

  it('adds what sparse rows store', () => {
    const dense = sumsOf(
      [
        [0, 2, 0],
        [3, 0, 4],
      ],
      [1, 0.5],
      [1, 1],
      1,
      2,
    );
    const sparse = sumsOf(
      { indptr: [0, 1, 3], indices: [1, 0, 2], values: [2, 3, 4], shape: [2, 3] },
      [1, 0.5],
      [1, 1],
      1,
      2,
    );
    expect(sparse).toEqual(dense);
  });

  it('adds what the mask lets through, and its weight in every column', () => {
    const X = [
      [1, Number.NaN, 0],
      [2, 5, 7],
    ];
    const mask = [
      [1, 0, 1],
      [0.5, 1, 2],
    ];
    const { sums, coordinateWeights, weights } = sumsOf(X, [1, 2], [0, 0], 1, 1, mask);
    expect([...weights]).toEqual([3]);
    expect([...sums]).toEqual([3, 10, 14]);
    expect([...(coordinateWeights as Float64Array)]).toEqual([2, 2, 3]);
    const sparse = { indptr: [0, 2, 5], indices: [0, 1, 0, 1, 2], values: [1, Number.NaN, 2, 5, 7] };
    expect(sumsOf({ ...sparse, shape: [2, 3] }, [1, 2], [0, 0], 1, 1, mask).sums).toEqual(sums);
    expect([...sumsOf(X, [1, 2], [0, 0], 1, 1, [[0, 0, 1]]).sums]).toEqual([0, 0, 14]);
  });

  it('goes on growing where float32 stands still', () => {
    const n = 300;
    const X = Array.from({ length: n }, (_, i) => [i === 0 ? 2 ** 25 : 1]);
    expect(
      sumsOf(
        X,
        X.map(() => 1),
        X.map(() => 0),
        1,
        1,
      ).sums[0],
    ).toBe(2 ** 25 + n - 1);
  });
});

describe('spreadOf', () => {
  it('adds up weighted δ and weights, a head at a time', () => {
    expect([...spreadOf(2, [1, 2], [1, 2, 3, 4])]).toEqual([1 + 2 * 3, 3, 2 + 2 * 4, 3]);
  });
});

describe('summedByIndex', () => {
  const spec = { candidates: 'all', joint: false, masked: false, repels: false } as unknown as GridSpec;

  it('is true where the index of the nearest prototype says where all of a row goes', () => {
    expect(summedByIndex(spec)).toBe(true);
    expect(summedByIndex({ ...spec, candidates: 'labels', joint: true })).toBe(true);
    for (const other of [{ candidates: 'class' as const }, { repels: true }]) {
      expect(summedByIndex({ ...spec, ...other })).toBe(false);
    }
  });
});
