// Laws that hold for any rows: results do not depend on the order of rows, on the origin, or on a save in between.

import { type Backend, comparesDirections, distanceNames } from '@fkm/core/graph';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { seeded } from '../random.js';
import { expectNear } from './compare.js';
import { friedman } from './data.js';
import { estimators, subjects } from './table.js';

const { X, y: numbers } = friedman(60, 'laws');
const sampleWeight = X.map((_, i) => 0.5 + (i % 5));

/** Few runs, since there are many backends; a failing seed is printed. */
const runs = { numRuns: 5 };

const permutation = fc.shuffledSubarray(
  X.map((_, i) => i),
  { minLength: X.length },
);

const order: Check[] = subjects().map(({ name, estimator, make, load, targets, options, first }) => ({
  // All estimators sum rows by prototype with the same kernels, so devices check one of them.
  thorough: !first || estimator !== 'regressor',
  key: `${name}: the order of the rows does not change a step of phase 1`,
  run: async (backend) => {
    const y = targets(numbers);
    const start = make({ backend, ...options });
    await start.fitBatch(X, y, { sampleWeight });
    const bytes = await start.save();
    await start.fitBatch(X, y, { sampleWeight });
    await fc.assert(
      fc.asyncProperty(permutation, async (rows) => {
        const moved = <T>(all: readonly T[]): T[] => rows.map((i) => all[i] as T);
        const other = await load(bytes, { backend });
        await other.fitBatch(moved(X), y && moved(y), { sampleWeight: moved(sampleWeight) });
        for (const array of ['prototypes', 'targets', 'ages', 'logBandwidth'] as const) {
          expectNear(other.grid[array]?.data ?? [], start.grid[array]?.data ?? [], array, 1e-5);
        }
        expect(other.grid.owners).toEqual(start.grid.owners);
      }),
      runs,
    );
  },
}));

const place = fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 3, maxLength: 3 });

const translation: Check[] = distanceNames
  .filter((name) => !comparesDirections(name))
  .map((distance) => ({
    key: `clusterer: the assignment by ${distance} does not move under translation`,
    run: async (backend: Backend) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), place, async (seed, shift) => {
          const random = seeded(`translation ${seed}`);
          const points = (count: number): number[][] =>
            Array.from({ length: count }, () => Array.from({ length: 3 }, () => 4 * random() - 2));
          const [rows, prototypes] = [points(40), points(5)];
          const moved = (all: number[][]): number[][] =>
            all.map((x) => x.map((v, j) => v + (shift[j] as number)));
          const from = async (at: number[][], grid: number[][]) => {
            const model = estimators.clusterer.make({ backend, distance, initMode: { prototypes: grid } });
            return { labels: (await model.predict(at)).data, similarity: await model.transform(at) };
          };
          const [here, there] = [await from(rows, prototypes), await from(moved(rows), moved(prototypes))];
          expectNear(there.similarity.data, here.similarity.data, 'similarity', 1e-5);
          for (let i = 0; i < rows.length; i++) {
            const own = Array.from(here.similarity.data.subarray(5 * i, 5 * i + 5)).sort((a, b) => b - a);
            // For equal distances, rounding may choose either.
            if ((own[0] as number) - (own[1] as number) > 1e-4) expect(there.labels[i]).toBe(here.labels[i]);
          }
        }),
        runs,
      );
    },
  }));

const settings = fc.record({
  distance: fc.constantFrom('cosine', 'euclidean', 'l1'),
  scaling: fc.constantFrom('none', 'standard', 'quantile', 'dual'),
  gaussian: fc.boolean(),
  autoFeatureWeights: fc.boolean(),
  randomState: fc.integer({ min: 0, max: 1000 }),
});

const saved: Check[] = Object.entries(estimators).map(
  ([name, { make, load, targets, numbers: answers, small }]) => ({
    thorough: true,
    key: `${name}: a save and load predicts the same bits, whatever the settings`,
    run: async (backend) => {
      await fc.assert(
        fc.asyncProperty(settings, async ({ gaussian, ...drawn }) => {
          const soft = gaussian ? {} : ({ softType: 'softmax_scaled' } as const);
          const model = make({ backend, ...soft, ...drawn, ...small(gaussian) });
          await model.fitBatch(X, targets(numbers));
          const bytes = await model.save();
          const again = await load(bytes, { backend });
          expect(await again.predict(X)).toEqual(await model.predict(X));
          expect(await answers(again, X)).toEqual(await answers(model, X));
          expect(await again.save()).toEqual(bytes);
        }),
        runs,
      );
    },
  }),
);

export const lawChecks = (): Check[] => [...order, ...translation, ...saved];
