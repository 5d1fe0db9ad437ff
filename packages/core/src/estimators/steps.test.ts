// Steps of phase 1 of every estimator, from a grid whose numbers are known: weights, masks, repulsion, forgetting, freezing,
// pruning, idle prototypes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NdArray } from '../dtype.js';
import type { Task } from '../state/options.js';
import { answers, estimators, givenOf, type Model, rows, tasks } from './testing.js';

const X = rows(40, 2).X.map((x) => x.map((v) => 4 * v));
const list = (array: NdArray | undefined): number[] => Array.from(array?.data ?? []);
const near = (got: readonly number[], want: readonly number[], tolerance = 1e-5): void => {
  expect(got).toHaveLength(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - (want[i] as number))).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(want[i] as number)),
    );
  });
};
const parts = ['prototypes', 'ages', 'targets', 'featureWeights', 'logBandwidth'] as const;
const same = (one: Model, other: Model): void => {
  for (const name of parts) near(list(one.grid[name]), list(other.grid[name]));
  expect(one.grid.owners).toEqual(other.grid.owners);
};
/** Owners of every kind at the triangle, whose corners are named a, b, c. */
const owned = ['classifier', 'multiLabel'] as const;
/** Labels of rows as the estimator takes them. */
const named = (task: Task, names: readonly string[]): unknown =>
  task === 'multiLabel' ? names.map((name) => [...name]) : names;

describe.each(tasks)('%s', (task) => {
  const y = estimators[task].targets(X);

  it.each<[string, object]>([
    ['scaled', {}],
    ['gaussian', { softType: 'gaussian' }],
    ['l1', { distance: 'l1' }],
    ['cosine', { distance: 'cosine' }],
    ['autoFeatureWeights', { autoFeatureWeights: true }],
    ...(task === 'classifier' || task === 'multiLabel'
      ? ([['repulsion', { repulsionFactor: 0.3 }]] as [string, object][])
      : []),
  ])('weights of w count as w rows, %s', async (_name, options) => {
    const weights = X.map((_, i) => i % 4);
    const repeated = <T>(values: readonly T[]): T[] =>
      values.flatMap((v, i) => Array.from({ length: weights[i] as number }, () => v));
    const [weighted, longer] = [givenOf(task, options), givenOf(task, options)];
    for (let i = 0; i < 2; i++) {
      const shift = await weighted.fitBatch(X, y, { sampleWeight: weights });
      near([shift], [await longer.fitBatch(repeated(X), y && repeated(y as unknown[]))]);
    }
    same(weighted, longer);
  });

  it('weights weigh the loss, in whatever unit they are; in the original they lengthen it', async () => {
    const some = y && (y as unknown[]).slice(0, 2);
    const repeated = some && [(some as unknown[])[0], ...(some as unknown[]), (some as unknown[])[0]];
    const at = X.slice(0, 2);
    for (const arithmetic of ['standard', 'original'] as const) {
      const model = givenOf(task, { arithmetic });
      const rows = await model.lossAndGradients([at[0], ...at, at[0]], repeated);
      for (const unit of [1, 1e-6]) {
        const weighted = await model.lossAndGradients(at, some, { sampleWeight: [3 * unit, unit] });
        // The original divides by two rows, which weigh four.
        const factor = arithmetic === 'standard' ? 1 : 2 * unit;
        near([weighted.loss], [factor * rows.loss]);
        near(
          list(weighted.gradients.prototypes),
          list(rows.gradients.prototypes).map((d) => factor * d),
        );
      }
    }
  });

  it('masks of ones are none, whatever their form, but in the original', async () => {
    const [plain, masked, original] = [
      givenOf(task),
      givenOf(task),
      givenOf(task, { arithmetic: 'original' }),
    ];
    await plain.fitBatch(X, y);
    await masked.fitBatch(X, y, { featureMask: [1, 1] });
    expect(await answers(masked, X, { featureMask: [true, true] })).toEqual(await answers(plain, X));
    expect(masked.grid).toEqual(plain.grid);
    await original.fitBatch(X, y, { featureMask: [1, 1] });
    expect(original.grid.ages.shape).toEqual([3, 2]);
  });

  it('masks leave a coordinate that nobody reported', async () => {
    const model = givenOf(task);
    const before = list(model.grid.prototypes);
    const holed = X.map(([a]) => [a as number, Number.NaN]);
    await model.fitBatch(holed, y, { featureMask: [1, 0] });
    const after = list(model.grid.prototypes);
    for (let k = 0; k < 3; k++) expect(after[2 * k + 1]).toBe(before[2 * k + 1]);
    expect(after).not.toEqual(before);
  });

  it('the half-life halves ages', async () => {
    const ages = async (halfLife: number): Promise<number[]> => {
      const { prototypes } = (givenOf(task) as Model).grid;
      const initMode = {
        prototypes: { data: list(prototypes), shape: [3, 2] },
        ages: [8, 16, 32],
        ...estimators[task].corners,
      };
      const model = givenOf(task, { initMode, halfLife });
      // Both rows are at the first corner, whatever else they are.
      const at = [
        [0, 0],
        [0.1, 0],
      ];
      const { family } = estimators[task];
      const own = family.numeric ? [1, 1] : family.supervised ? named(task, ['a', 'a']) : undefined;
      await model.fitBatch(at, own);
      return list(model.grid.ages);
    };
    expect(await ages(Infinity)).toEqual([10, 16, 32]);
    expect(await ages(2)).toEqual([6, 8, 16]);
  });

  it('frozen prototypes stay, in both phases', async () => {
    const model = givenOf(task, { softType: 'gaussian' });
    model.freezePrototypes([true, false, true]);
    const before = model.grid;
    await model.fitBatch(X, y);
    await model.fitBatch(X, y, { gradientStep: true });
    await model.fit(X, y, { maxIters: 2 });
    await model.finetune(X, y, { epochs: 2 });
    for (const name of ['prototypes', 'targets', 'logBandwidth', 'bias'] as const) {
      const [was, is] = [list(before[name]), list(model.grid[name])];
      const width = was.length / 3;
      expect(is.slice(0, width)).toEqual(was.slice(0, width));
      expect(is.slice(2 * width)).toEqual(was.slice(2 * width));
      if (name === 'prototypes') expect(is).not.toEqual(was);
    }
  });

  const value = fc.integer({ min: -64, max: 64 }).map((v) => v / 8);
  const batch = fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 12 });

  it('the order of the rows does not change a step', async () => {
    const distance = fc.constantFrom('euclidean', 'l1', 'cosine');
    const property = fc.asyncProperty(batch, distance, async (all, metric) => {
      const turned = [...all].reverse();
      const [one, other] = [0, 1].map(() => givenOf(task, { distance: metric })) as [Model, Model];
      near(
        [await one.fitBatch(all, estimators[task].targets(all))],
        [await other.fitBatch(turned, estimators[task].targets(turned))],
      );
      same(one, other);
    });
    await fc.assert(property, { numRuns: 30 });
  });

  it('save and load answer the same bits', async () => {
    const softType = fc.constantFrom('gaussian', 'hard', 'mean', 'scaled', 'softmax_scaled');
    const property = fc.asyncProperty(batch, softType, async (all, soft) => {
      const model = givenOf(task, { softType: soft });
      await model.fitBatch(all, estimators[task].targets(all));
      const again = await estimators[task].load(await model.save());
      expect(await answers(again, X)).toEqual(await answers(model, X));
      expect(await again.predict(X)).toEqual(await model.predict(X));
    });
    await fc.assert(property, { numRuns: 15 });
  });
});

describe.each(owned)('%s', (task) => {
  it('rows choose the nearest prototype of their own class', async () => {
    const model = givenOf(task);
    // At the corner of b, but of class a; and of both.
    await model.fitBatch(
      [
        [4, 0],
        [1, 1],
      ],
      named(task, ['a', task === 'multiLabel' ? 'bc' : 'b']),
    );
    const third = task === 'multiLabel' ? [0.5, 2.5] : [0, 4];
    near(list(model.grid.prototypes), [2, 0, 2.5, 0.5, ...third]);
    expect(list(model.grid.ages)).toEqual([2, 2, task === 'multiLabel' ? 2 : 1]);
  });

  it('repulsion moves the wrong nearest away, by η·r·(p − row)', async () => {
    const model = givenOf(task, { repulsionFactor: 0.5 });
    await model.fitBatch([[3, 1]], named(task, ['a']));
    // a is pulled half way; b, nearest of all, is pushed by 1/1 · 0.5 from [3, 1].
    near(list(model.grid.prototypes), [1.5, 0.5, 4.5, -0.5, 0, 4]);
    expect(list(model.grid.ages)).toEqual([2, 1, 1]);
    const masked = givenOf(task, { repulsionFactor: 0.5 });
    await masked.fitBatch([[3, Number.NaN]], named(task, ['a']), { featureMask: [1, 0] });
    const [, a, , b] = list(masked.grid.prototypes);
    expect([a, b]).toEqual([0, 0]);
    expect(list(masked.grid.prototypes)[2]).toBeGreaterThan(4);
  });

  const initMode = {
    prototypes: [
      [0, 0],
      [0, 1],
      [9, 9],
      [9, 8],
    ],
    owners: ['a', 'a', 'b', 'b'],
    ages: [5, 1, 0.5, 0.25],
  };

  it('pruning never takes the last prototype of a class', async () => {
    const model = givenOf(task, { initMode, minWeight: 3, pruneEvery: 1, heads: 1 });
    await model.fitBatch([[0, 0]], named(task, ['a']));
    expect(list(model.grid.prototypes)).toEqual([0, 0, 9, 9]);
    expect(list(model.grid.owners)).toEqual([0, 1]);
    expect(list(model.grid.ages)).toEqual([6, 0.5]);
    await model.fitBatch([[9, 9]], named(task, ['b']));
    expect(list(model.grid.ages)).toEqual([6, 1.5]);
    const { data } = await model.predict([
      [0, 0],
      [9, 9],
    ]);
    expect(Array.from(data)).toEqual(task === 'classifier' ? ['a', 'b'] : [1, 0, 0, 1]);
    const all = givenOf(task, { initMode, minWeight: 100, pruneEvery: 1, heads: 1 });
    all.freezePrototypes([false, true, false, false]);
    await all.fitBatch([[0, 0]], named(task, ['a']));
    // A frozen one stays, and stands for its class.
    expect(list(all.grid.ages)).toEqual([1, 0.5]);
  });

  it('a pass of fit prunes too, and gradients go on with the moments of those that stay', async () => {
    const model = givenOf(task, { initMode, minWeight: 3, heads: 1, softType: 'gaussian' });
    const at = [
      [0, 0],
      [0, 0.1],
      [9, 9],
      [9, 9.1],
    ];
    const labels = named(task, ['a', 'a', 'b', 'b']);
    await model.fitBatch(at, labels, { gradientStep: true });
    await model.fit(at, labels, { maxIters: 1, shuffle: false });
    expect(list(model.grid.owners).sort()).toEqual([0, 1]);
    expect(Number.isFinite(await model.fitBatch(at, labels, { gradientStep: true }))).toBe(true);
  });

  it('idle prototypes of a class start again at rows of that class', async () => {
    const idle = {
      prototypes: [
        [0, 0],
        [500, 500],
        [20, 0],
        [-500, 500],
      ],
      owners: ['a', 'a', 'b', 'b'],
    };
    const at = [
      [0, 0],
      [0, 3],
      [20, 0],
      [20, 9],
      [20, 1],
    ];
    const labels = named(task, ['a', 'a', 'b', 'b', 'b']);
    const model = givenOf(task, { initMode: idle });
    await model.fit(at, labels, { maxIters: 2, shuffle: false });
    const grid = list(model.grid.prototypes);
    // The worst row of each class, though those of b are worse than any of a.
    expect(grid.slice(2, 4)).toEqual([0, 3]);
    expect(grid.slice(6, 8)).toEqual([20, 9]);
    expect(list(model.grid.owners)).toEqual([0, 0, 1, 1]);
    const short = givenOf(task, { initMode: idle });
    await short.fit(at, labels, { maxIters: 1, shuffle: false });
    expect(list(short.grid.prototypes).slice(2, 4)).toEqual([500, 500]);
    const still = givenOf(task, { initMode: idle });
    still.freezePrototypes([false, true, false, false]);
    await still.fit(at, labels, { maxIters: 2, shuffle: false });
    expect(list(still.grid.prototypes).slice(2, 4)).toEqual([500, 500]);
    expect(list(still.grid.prototypes).slice(6, 8)).toEqual([20, 9]);
  });
});

describe('a multi-label classifier', () => {
  it('repels nothing that a row has among its labels', async () => {
    const model = givenOf('multiLabel', { repulsionFactor: 0.5 });
    await model.fitBatch([[3, 1]], [['a', 'b']]);
    near(list(model.grid.prototypes), [1.5, 0.5, 3.5, 0.5, 0, 4]);
  });
});

describe('a clusterer', () => {
  it('prunes, and starts idle prototypes again', async () => {
    const initMode = {
      prototypes: [
        [0, 0],
        [500, 500],
      ],
    };
    const at = [
      [0, 0],
      [0.1, 0],
      [9, 9],
    ];
    const model = givenOf('clusterer', { initMode });
    await model.fit(at, undefined, { maxIters: 2, shuffle: false });
    expect(list(model.grid.prototypes).slice(2)).toEqual([9, 9]);
    const pruned = givenOf('clusterer', { initMode, minWeight: 2 });
    await pruned.fit(at, undefined, { maxIters: 1, shuffle: false });
    expect(list(pruned.grid.ages)).toEqual([4]);
  });

  it('gives labels, inertia and passes of its last fit, and what score says of it', async () => {
    const model = estimators.clusterer.make({ kInit: 4 }) as Model & {
      labels: Int32Array;
      inertia: number;
      nIter: number;
    };
    expect(() => model.labels).toThrow('labels: this model has not been fitted to rows; call fit(X) first');
    const sampleWeight = X.map((_, i) => 1 + (i % 2));
    // A step that waits in the queue moves the grid after this fit has read it.
    const fit = model.fit(X, { maxIters: 3, sampleWeight });
    const alone = estimators.clusterer.make({ kInit: 4 }) as typeof model;
    const later = model.fitBatch(
      X.map((x) => x.map((v) => v + 50)),
      undefined,
    );
    const { nIter } = await fit;
    await alone.fit(X, { maxIters: 3, sampleWeight });
    expect([model.nIter, model.inertia]).toEqual([nIter, alone.inertia]);
    expect(model.labels).toEqual(alone.labels);
    await later;
    expect((await alone.predict(X)).data).toEqual(alone.labels);
    expect(await alone.score(X, { sampleWeight })).toBe(-alone.inertia);
    const p = list(alone.grid.prototypes);
    const cost = X.reduce((sum, [a, b], i) => {
      const k = alone.labels[i] as number;
      return (
        sum +
        (sampleWeight[i] as number) *
          (((a as number) - (p[2 * k] as number)) ** 2 + ((b as number) - (p[2 * k + 1] as number)) ** 2)
      );
    }, 0);
    near([alone.inertia], [cost], 1e-4);
    const again = await estimators.clusterer.load(await alone.save());
    expect(() => (again as typeof model).inertia).toThrow('inertia: this model has not been fitted to rows');
  });
});
