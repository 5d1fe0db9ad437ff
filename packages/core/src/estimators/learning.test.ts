// Phase 1 as a user sees it: weights that count like repetitions, masks, ages, and laws that hold for any rows.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NdArray } from '../dtype.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, given, rows, type Settings, small, triangle } from './testing.js';

const { X, y } = rows(40);
const flat = X.map((x) => x.slice(0, 2));
const list = (array: NdArray | undefined): number[] => Array.from(array?.data ?? []);
const near = (got: readonly number[], want: readonly number[], tolerance = 1e-6): void => {
  expect(got).toHaveLength(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - (want[i] as number))).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(want[i] as number)),
    );
  });
};

describe('sample weights', () => {
  it.each<[string, Settings]>([
    ['mean', {}],
    ['scaled', { targetAssignment: 'scaled' }],
    ['softmax_scaled', { targetAssignment: 'softmax_scaled' }],
    ['hard', { targetAssignment: 'hard' }],
    ['l1', { distance: 'l1' }],
    ['cosine', { distance: 'cosine' }],
    ['autoFeatureWeights', { autoFeatureWeights: true }],
  ])('of w count as w rows, %s', async (_name, options) => {
    const weights = flat.map((_, i) => i % 4);
    const repeated = <T>(values: readonly T[]): T[] =>
      values.flatMap((v, i) => Array.from({ length: weights[i] as number }, () => v));
    const [weighted, longer] = [given(options), given(options)];
    const shift = await weighted.fitBatch(flat, y, { sampleWeight: weights });
    near([shift], [await longer.fitBatch(repeated(flat), repeated(y))]);
    for (const name of ['prototypes', 'ages', 'targets', 'featureWeights'] as const) {
      near(list(weighted.grid[name]), list(longer.grid[name]), 1e-5);
    }
  });

  it.each([
    ['standard', 1],
    ['original', 3],
  ] as const)('weigh the loss: of one row by %s arithmetic %i times', async (arithmetic, times) => {
    const [one, two] = [[flat[0] as number[]], [y[0] as number]];
    const model = given({ arithmetic });
    const plain = await model.lossAndGradients(one, two);
    const tripled = await model.lossAndGradients(one, two, { sampleWeight: [3] });
    expect(tripled.loss).toBeCloseTo(times * plain.loss, 5);
    near(
      list(tripled.gradients.targets),
      list(plain.gradients.targets).map((d) => times * d),
      1e-5,
    );
  });
});

describe('masks', () => {
  it.each([
    // Ages of coordinates start at the age, which in the original has counted this batch already.
    ['standard', 1],
    ['original', 3],
  ] as const)(
    'leave a coordinate that nobody reported where it is, with an age of its own: %s',
    async (arithmetic, start) => {
      const model = given({ arithmetic, initMode: { prototypes: [[0, 1]], targets: [0] } });
      await model.fitBatch(
        [
          [2, Number.NaN],
          [4, 9],
        ],
        [1, 1],
        {
          featureMask: [
            [1, 0],
            [1, 0],
          ],
        },
      );
      const [a, b] = list(model.grid.prototypes) as [number, number];
      expect(b).toBe(1);
      expect(list(model.grid.ages)).toEqual([start + 2, start]);
      expect(a).toBeCloseTo((2 / (start + 2)) * 3, 6);
      await model.fitBatch([[Number.NaN, 5]], [1], { featureMask: [0, 1] });
      expect(list(model.grid.ages)).toEqual([start + 2, start + 1]);
      expect(list(model.grid.prototypes)[0]).toBe(a);
      expect(list(model.grid.prototypes)[1]).toBeCloseTo(1 + (1 / (start + 1)) * 4, 6);
      await model.fitBatch([[0, 0]], [1]);
      expect(list(model.grid.ages)).toEqual([start + 3, start + 2]);
    },
  );

  it('of ones change nothing, except that the original then has ages by coordinate', async () => {
    const [plain, masked, original] = [given(), given(), given({ arithmetic: 'original' })];
    await plain.fitBatch(flat, y);
    await masked.fitBatch(flat, y, { featureMask: [1, 1] });
    near(list(await masked.predict(flat, { featureMask: [1, 1] })), list(await masked.predict(flat)), 1e-5);
    expect(masked.grid).toEqual(plain.grid);
    await original.fitBatch(flat, y, { featureMask: [1, 1] });
    expect(original.grid.ages.shape).toEqual([3, 2]);
  });

  it('of one row serve all rows, as numbers or booleans', async () => {
    const model = given();
    const want = list(await model.predict(flat, { featureMask: flat.map(() => [1, 0]) }));
    for (const featureMask of [
      [1, 0],
      [true, false] as never,
      [[1, 0]],
      new Uint8Array([1, 0]),
      { data: [1, 0], shape: [1, 2] as const },
    ]) {
      expect(list(await model.predict(flat, { featureMask }))).toEqual(want);
    }
  });
});

describe('long streams', () => {
  it('ages go on growing past 2^24', async () => {
    const ages = [2 ** 24, 2 ** 24, 2 ** 24];
    const model = given({
      initMode: { ...triangle, ages },
    });
    for (let i = 0; i < 3; i++) await model.fitBatch([[0.5, 0]], [1]);
    const bytes = await model.save();
    const again = await FastKMeansRegressor.load(bytes, { backend });
    await again.fitBatch([[0.5, 0]], [1]);
    // float32 holds even numbers alone here.
    expect(list(again.grid.ages)[0]).toBe(2 ** 24 + 4);
  });
});

describe('inputs', () => {
  it('may be nested, typed or flat', async () => {
    const run = async (features: never, targets: never): Promise<Uint8Array> => {
      const model = given();
      await model.fitBatch(features, targets);
      return model.save();
    };
    const flatX = { data: Float32Array.from(flat.flat()), shape: [40, 2] };
    const want = await run(flat as never, y as never);
    for (const features of [flatX, { ...flatX, data: flat.flat() }, flat.map((x) => Float64Array.from(x))]) {
      for (const targets of [y, Float32Array.from(y), y.map((v) => [v]), { data: y, shape: [40, 1] }]) {
        expect(await run(features as never, targets as never)).toEqual(want);
      }
    }
  });

  it('stay as they were', async () => {
    const data = Float32Array.from(X.flat());
    const [before, targets] = [data.slice(), Float32Array.from(y)];
    const model = small();
    await model.fit({ data, shape: [40, 3] }, targets);
    await model.finetune({ data, shape: [40, 3] }, targets, { epochs: 1 });
    expect(data).toEqual(before);
    expect(targets).toEqual(Float32Array.from(y));
  });
});

describe('laws', () => {
  const value = fc.integer({ min: -64, max: 64 }).map((v) => v / 8);
  const batch = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 12 });

  // Off the lattice of the rows, so that no row is equally near to two.
  it('assignment does not move under translation', async () => {
    const step = fc.integer({ min: -8, max: 8 });
    const property = fc.asyncProperty(
      batch,
      step,
      step,
      fc.constantFrom('euclidean', 'l1'),
      async (all, dx, dy, distance) => {
        const model = (x: number, y0: number): FastKMeansRegressor =>
          given({
            distance: distance as 'l1',
            initMode: {
              prototypes: [
                [x, y0],
                [4.137 + x, 0.319 + y0],
                [0.2213 + x, 4.7717 + y0],
              ],
              targets: [0, 1, 2],
            },
          });
        const [still, moved] = [model(0, 0), model(dx, dy)];
        await still.fitBatch(
          all.map(([a, b]) => [a, b]),
          all.map(([, , t]) => t),
        );
        await moved.fitBatch(
          all.map(([a, b]) => [a + dx, b + dy]),
          all.map(([, , t]) => t),
        );
        expect(list(moved.grid.ages)).toEqual(list(still.grid.ages));
        near(list(moved.grid.targets), list(still.grid.targets));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});
