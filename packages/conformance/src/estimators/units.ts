// Euclidean and l1 answers do not depend on a common factor of all columns: rows from 1e-30 to 1e30 give the same results as rows
// near 1. Rows whose distance to the model exceeds float32 are a DataError, and nothing is NaN.

import { FastKMeansClusterer, FastKMeansRegressor } from '@fkm/core';
import { comparesDirections, distanceNames } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { estimators } from './table.js';

const factors = [1e-30, 1e-24, 1e-12, 1e15, 1e20, 1e30] as const;
const distances = distanceNames.filter((name) => !comparesDirections(name));
const rows = 60;
const groupOf = Array.from({ length: rows }, (_, i) => i % 3);
const X = groupOf.map((group, i) => [group + 0.02 * Math.sin(i), 2 - group + 0.02 * Math.cos(3 * i)]);
const times = (factor: number): number[][] => X.map((row) => row.map((v) => v * factor));

export const unitChecks = (): Check[] => [
  ...distances.flatMap((distance) =>
    factors.flatMap((factor) => [
      {
        key: `clusterer: finds clusters times ${factor}, ${distance}`,
        run: async (backend: Parameters<Check['run']>[0]) => {
          for (const algorithm of ['ema', 'lloyd'] as const) {
            const fitted = async (x: number[][]) => {
              const model = new FastKMeansClusterer({ backend, distance, kInit: 3, algorithm });
              await model.fit(x);
              return model;
            };
            const [far, near] = [await fitted(times(factor)), await fitted(X)];
            // The clusters are equal, but their order may depend on the last bit of a distance.
            const named: number[] = [];
            near.labels.forEach((label, i) => {
              named[label] ??= far.labels[i] as number;
            });
            expect(Array.from(far.labels)).toEqual(Array.from(near.labels, (label) => named[label]));
            const power = distance === 'euclidean' ? 2 : 1;
            expect(far.inertia / factor ** power / near.inertia).toBeCloseTo(1, 3);
            const p = near.grid.prototypes.data;
            const q = far.grid.prototypes.data;
            p.forEach((value, i) => {
              const at = 2 * (named[Math.floor(i / 2)] as number) + (i % 2);
              expect(Math.abs((q[at] as number) / factor - value)).toBeLessThan(1e-4);
            });
            const { data } = await far.predictProba(times(factor));
            (await near.predictProba(X)).data.forEach((value, i) => {
              const at = 3 * Math.floor(i / 3) + (named[i % 3] as number);
              expect(Math.abs((data[at] as number) - value)).toBeLessThan(1e-3);
            });
            const similarities = (await far.transform(times(factor))).data;
            expect(similarities.every((s) => s >= 0 && s <= 1)).toBe(true);
            const again = await FastKMeansClusterer.load(await far.save(), { backend });
            expect((await again.predict(times(factor))).data).toEqual(far.labels);
          }
        },
      },
      ...Object.entries(estimators).map(([name, { make, targets, small, numbers }]) => ({
        key: `${name}: raw features times ${factor}, ${distance}`,
        run: async (backend: Parameters<Check['run']>[0]) => {
          const y = targets(groupOf);
          const learned = async (x: number[][]) => {
            const model = make({ backend, distance, scaling: 'none', ...small(true) });
            await model.fit(x, y, { maxIters: 3 });
            return numbers(model, x);
          };
          const [far, near] = [await learned(times(factor)), await learned(X)];
          for (let i = 0; i < near.length; i++)
            expect(Math.abs((far[i] as number) - (near[i] as number))).toBeLessThan(2e-3);
        },
      })),
    ]),
  ),
  ...(['gaussian', 'hard', 'scaled', 'softmax_scaled', 'mean'] as const).map((softType) => ({
    key: `clusterer: rows far from a grid near 1 are answered, or named, ${softType}`,
    run: async (backend: Parameters<Check['run']>[0]) => {
      const initMode = { prototypes: [[0], [1], [2]] };
      const model = new FastKMeansClusterer({ backend, initMode, softType });
      for (const value of [1e12, 1e19, 1e20, -3e38]) {
        for (const call of ['predict', 'predictProba', 'transform'] as const) {
          const said = await model[call]([[1], [value]]).then(
            ({ data }) => Array.from(data),
            (error: Error) => error,
          );
          if (said instanceof Error) expect(said.message).toMatch(/row 1, column 0/);
          else expect(said.every(Number.isFinite)).toBe(true);
        }
      }
    },
  })),
  {
    key: 'regressor: a row far from raw features is answered, or named',
    run: async (backend) => {
      const model = new FastKMeansRegressor({ backend, scaling: 'none', nPrototypes: 6 });
      await model.fit(X, groupOf);
      await expect(model.predict([[1e20, 0]])).rejects.toThrow(/X has .*row 0, column 0/);
      await expect(model.score([[1e20, 0]], [1])).rejects.toThrow(/row 0, column 0/);
    },
  },
];
