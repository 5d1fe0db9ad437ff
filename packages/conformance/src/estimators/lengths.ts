// Cosine ignores lengths: in every call, rows of any float32 length are distinguished only by their direction.

import type { DenseMatrix, Matrix } from '@fkm/core';
import type { NdArray } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { estimators } from './table.js';

/** Factors of rows; the squares of all but the first are outside of float32. */
const lengths = [1, 1e-11, 1e-24, 1e-30, 1e-38, 2e19, 1e30, 1e38] as const;

const groups = 3;
const rows = 48;
const groupOf = Array.from({ length: rows }, (_, i) => i % groups);

/** Directions around three axes, with the given lengths. */
const directions = (length: (row: number) => number): number[][] =>
  groupOf.map((group, i) =>
    [0, 1, 2].map((j) => length(i) * ((j === group ? 1 : 0) + 0.1 * Math.sin(1.7 * i + j))),
  );
const unit = directions(() => 1);
const mixed = directions((row) => lengths[row % lengths.length] as number);

const prototypes = [
  [1, 0, 0],
  [0, 2e19, 0],
  [0, 0, 1e-30],
];
const csr = (X: readonly number[][]): Matrix => ({
  indptr: Array.from({ length: X.length + 1 }, (_, i) => groups * i),
  indices: X.flatMap(() => [0, 1, 2]),
  values: X.flat(),
  shape: [X.length, groups],
});

const cosineOf = (x: readonly number[], p: readonly number[], w: readonly number[]): number => {
  const over = (f: (j: number) => number): number => w.reduce((sum, m, j) => sum + m * f(j), 0);
  const length = (of: readonly number[]): number => Math.sqrt(over((j) => (of[j] as number) ** 2));
  return over((j) => (x[j] as number) * (p[j] as number)) / (length(x) * length(p));
};

const masks = groupOf.map((_, i) => [1, 1, i % 4 === 0 ? 0 : 1]);

/** Settings of a comparison, and the weight of each column of a row in them. */
const comparisons: readonly {
  readonly name: string;
  readonly options: object;
  readonly ask: object;
  readonly weights: (row: number) => readonly number[];
}[] = [
  { name: 'plain', options: {}, ask: {}, weights: () => [1, 1, 1] },
  {
    name: 'weighed',
    options: { featureWeights: [1, 0.25, 0.5] },
    ask: {},
    weights: () => [1, 0.25, 0.5],
  },
  {
    name: 'masked',
    options: {},
    ask: { featureMask: masks },
    weights: (row) => masks[row] as readonly number[],
  },
];

export const lengthChecks = (): Check[] => [
  ...comparisons.map(({ name, options, ask, weights }) => ({
    key: `transform: cosines of rows of any length, ${name}`,
    run: async (backend: Parameters<Check['run']>[0]) => {
      const { make } = estimators.clusterer;
      const model = make({ backend, distance: 'cosine', initMode: { prototypes }, ...options });
      const { data } = await model.transform(mixed, ask);
      const sparse = name === 'plain' ? (await model.transform(csr(mixed))).data : data;
      mixed.forEach((x, i) => {
        const m = weights(i);
        prototypes.forEach((p, k) => {
          const shown = p.some((value, j) => value * (m[j] as number) !== 0);
          const want = shown ? cosineOf(x, p, m) : 0;
          // Entries of 1e-38 are denormal and have lost digits in the input.
          expect(Math.abs((data[i * groups + k] as number) - want)).toBeLessThan(1e-5);
          expect(Math.abs((sparse[i * groups + k] as number) - want)).toBeLessThan(1e-5);
        });
      });
    },
  })),
  ...Object.entries(estimators).map(([name, { make, targets, small, numbers }]) => ({
    key: `${name}: learns rows of any length as rows of length 1`,
    run: async (backend: Parameters<Check['run']>[0]) => {
      const y = targets(groupOf);
      const learned = async (X: DenseMatrix) => {
        const model = make({ backend, distance: 'cosine', ...small(true) });
        await model.fit(X, y, { maxIters: 3 });
        await model.finetune(X, y, { epochs: 2, lr: 1e-3 });
        return model;
      };
      const [a, b] = [await learned(unit), await learned(mixed)];
      const near = (got: ArrayLike<number>, want: ArrayLike<number>, what: string): void => {
        for (let i = 0; i < want.length; i++)
          expect(Math.abs((got[i] as number) - (want[i] as number)), what).toBeLessThan(2e-3);
      };
      near((b.grid.prototypes as NdArray).data, (a.grid.prototypes as NdArray).data, 'prototypes');
      near(await numbers(b, mixed), await numbers(a, unit), 'answers');
      const [one, other] = [(await a.predict(mixed)).data, (await a.predict(unit)).data];
      // Numbers may differ by rounding, names may not.
      if (typeof other[0] === 'string') expect(one).toEqual(other);
      else near(one as ArrayLike<number>, other as ArrayLike<number>, 'predictions');
    },
  })),
  {
    key: 'clusterer: rows of zeros have the cosine 0 to all',
    run: async (backend) => {
      const { make } = estimators.clusterer;
      const model = make({ backend, distance: 'cosine', initMode: { prototypes } });
      expect(Array.from((await model.transform([[0, 0, 0]])).data)).toEqual([0, 0, 0]);
    },
  },
];
