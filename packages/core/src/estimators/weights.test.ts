// A weight is a weight: a row of weight w counts as w rows, one whose weight goes to 0 is absent, and in which unit weights are
// says nothing. In starts, scalers, the size of the grid, both phases and scores, of every estimator.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import type { Task } from '../state/options.js';
import { originalDefaults } from './original.js';
import { answers, backend, estimators, type Model, rows, tasks } from './testing.js';

const ramp = (n: number): number[][] => Array.from({ length: n }, (_, i) => [i / n]);
const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));
const near = (got: ArrayLike<number>, wanted: ArrayLike<number>, digits = 4): void => {
  expect(got.length).toBe(wanted.length);
  Array.from(got).forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(
      10 ** -digits * (1 + Math.abs(wanted[i] as number)),
    );
  });
};

/** Rows and targets picked by place, which may repeat them. */
const pick = <T>(all: readonly T[], indices: readonly number[]): T[] => indices.map((i) => all[i] as T);

/** Places of 30 rows in some order, of weight 0 to 4, and the same rows repeated so often. */
function weighting(count: number): { order: number[]; sampleWeight: number[]; repeated: number[] } {
  const random = new Random(5);
  const weights = Array.from({ length: count }, () => random.below(5));
  const order = Array.from(random.permutation(count));
  return {
    order,
    sampleWeight: pick(weights, order),
    repeated: weights.flatMap((w, i) => new Array<number>(w).fill(i)),
  };
}

const starts: Readonly<Record<Task, readonly object[]>> = {
  regressor: [
    {},
    { initMode: 'kmeans++' },
    { initMode: 'random' },
    { softType: 'scaled' },
    { scaling: 'standard' },
    { distance: 'l1' },
    { distance: 'cosine' },
    { metric: 'slopes' },
    { initMode: 'kmeans++', kTargets: 'auto', kFeatures: 'auto' },
    { prototypeModel: 'linear' },
    { targetAssignment: 'scaled', initMode: 'kmeans++' },
  ],
  quantileRegressor: [{}, { initMode: 'kmeans++' }, { softType: 'scaled' }, { distance: 'cosine' }],
  classifier: [
    {},
    { initMode: 'kmeans++' },
    { softType: 'scaled' },
    { initMode: 'random' },
    { distance: 'cosine' },
  ],
  multiLabel: [{}, { initMode: 'kmeans++' }, { softType: 'scaled' }, { initMode: 'random' }],
  clusterer: [
    {},
    { initMode: 'random' },
    { scaling: 'standard' },
    { scaling: 'dual' },
    { distance: 'l1' },
    { algorithm: 'lloyd' },
    { kInit: 'auto' },
    { autoFeatureWeights: true },
  ],
};

const cases = tasks.flatMap((task) => (starts[task] as object[]).map((options) => ({ task, options })));

describe.each(cases)('$task $options', ({ task, options }) => {
  const { X } = rows(40);
  const y = estimators[task].targets(X) as unknown[] | undefined;
  const fitted = async (indices: readonly number[], sampleWeight?: readonly number[]): Promise<Model> => {
    const model = estimators[task].make(options);
    await model.fit(pick(X, indices), y && pick(y, indices), sampleWeight ? { sampleWeight } : {});
    return model;
  };

  it('learns from weighted rows, in whatever order and unit, what it learns from repeated ones', async () => {
    const { order, sampleWeight, repeated } = weighting(40);
    const wanted = await fitted(repeated);
    for (const unit of [1, 1e-6, 3e4]) {
      const model = await fitted(
        order,
        sampleWeight.map((w) => w * unit),
      );
      expect(model.grid.prototypes.shape).toEqual(wanted.grid.prototypes.shape);
      near(await answers(model, X), await answers(wanted, X), 3);
      near(
        model.grid.ages.data.map((age) => age / unit),
        wanted.grid.ages.data,
        3,
      );
    }
  });

  it('does not see rows whose weight goes to 0, wherever they lie', async () => {
    const half = Array.from({ length: 20 }, (_, i) => i);
    const wanted = await fitted(half);
    for (const light of [0, 1e-9]) {
      const model = estimators[task].make(options);
      const far = X.slice(20).map((x) => x.map((v) => 3 * v));
      const targets = estimators[task].family.numeric ? far.map(() => 1000) : y?.slice(20);
      await model.fit([...X.slice(0, 20), ...far], y && [...y.slice(0, 20), ...(targets as unknown[])], {
        sampleWeight: X.map((_, i) => (i < 20 ? 1 : light)),
      });
      expect(model.grid.prototypes.shape).toEqual(wanted.grid.prototypes.shape);
      near(await answers(model, X), await answers(wanted, X), 3);
    }
  });
});

describe('weights near 0 beside others', () => {
  const X = [...ramp(100), ...ramp(100)];
  const isLight = (i: number): boolean => i >= 100;
  const weights = (light: number): number[] => X.map((_, i) => (isLight(i) ? light : 1));

  it.each([
    {},
    { initMode: 'kmeans++' },
    { initMode: 'random' },
    { softType: 'scaled' },
    { distance: 'cosine' },
  ])('leave targets at their weighted mean: %o', async (options) => {
    const y = X.map((_, i) => (isLight(i) ? 1000 : 0));
    for (const light of [1e-9, 1e-6, 1e-4]) {
      const model = estimators.regressor.make(options);
      await model.fit(X, y, { sampleWeight: weights(light) });
      const { data } = await model.predict(ramp(100));
      expect(largest(data as Float32Array)).toBeLessThan(5 * 1000 * light);
    }
  });

  it('do not disturb the other rows in finetune', async () => {
    const y = X.map((_, i) => (isLight(i) ? 1000 : Math.sin(6 * (i / 100))));
    const model = estimators.regressor.make();
    await model.fit(X, y, { sampleWeight: weights(1e-9) });
    await model.finetune(X, y, { sampleWeight: weights(1e-9), epochs: 10 });
    expect(await model.score(X.slice(0, 100), y.slice(0, 100))).toBeGreaterThan(0.95);
  });

  it.each([{}, { prototypeTargets: 'owners' }, { initMode: 'kmeans++' }, { softType: 'scaled' }])(
    'leave classes alone: %o',
    async (options) => {
      const own = X.map(([x], i) => ((x as number) < 0.5 !== isLight(i) ? 'a' : 'b'));
      for (const light of [1e-9, 1e-5, 1e-3]) {
        const model = estimators.classifier.make(options);
        await model.fit(X, own, { sampleWeight: weights(light) });
        expect(await model.score(X.slice(0, 100), own.slice(0, 100))).toBeGreaterThan(0.95);
      }
    },
  );

  it.each([{}, { initMode: 'kmeans++' }, { initMode: 'random' }])('fade with age: %o', async (options) => {
    const n = 500;
    const at = Array.from({ length: n }, (_, i) => [((i * 7919) % n) / n]);
    const f = (x: number): number => Math.sin(6 * x);
    const y = at.map(([x], i) => f(x as number) + (i < n / 2 ? 100 : 0));
    const model = estimators.regressor.make(options);
    await model.fit(at, y, { sampleWeight: at.map((_, i) => 0.97 ** (n - 1 - i)) });
    const test = ramp(200);
    const r2 = await model.score(
      test,
      test.map(([x]) => f(x as number)),
    );
    expect(r2).toBeGreaterThan(0.8);
  });
});

describe('weights by number', () => {
  it('count as rows in the scaler of a clusterer', async () => {
    const model = estimators.clusterer.make({ kInit: 1, scaling: 'standard' });
    await model.fit([[0], [10]], undefined, { sampleWeight: [9, 1] });
    expect((model as unknown as { inertia: number }).inertia).toBeCloseTo(10, 5);
  });

  it('of 1/N leave slopes as they are', async () => {
    const { X, y } = rows(200, 2);
    const score = async (w: number): Promise<number> => {
      const model = estimators.regressor.make({ prototypeModel: 'linear' });
      await model.fit(X, y, { sampleWeight: X.map(() => w) });
      return model.score(X, y);
    };
    expect(await score(1 / 200)).toBeCloseTo(await score(1), 5);
  });

  it.each(['standard', 'original'])('a grid of age 1 meets rows of weight 1e-6, %s', async (arithmetic) => {
    const model = estimators.clusterer.make({ arithmetic, initMode: { prototypes: [[0]] } });
    await model.fitBatch([[2], [4]], undefined, { sampleWeight: [1e-6, 1e-6] });
    expect(model.grid.prototypes.data[0]).toBeCloseTo(arithmetic === 'standard' ? 2 : 6e-6, 5);
  });

  it.each([
    ['standard', 2],
    ['original', 1.2],
  ])('a first mask of ones, %s', async (arithmetic, wanted) => {
    const model = estimators.clusterer.make({ arithmetic, initMode: { prototypes: [[0]] } });
    await model.fitBatch([[2], [4]], undefined, { featureMask: [[1], [1]] });
    expect(model.grid.prototypes.data[0]).toBeCloseTo(wanted, 5);
  });

  it('a mask that comes late starts at the ages of its prototypes', async () => {
    const model = estimators.clusterer.make({ initMode: { prototypes: [[0, 0]] } });
    await model.fitBatch([[2, 2]], undefined);
    await model.fitBatch([[4, 9]], undefined, { featureMask: [[1, 0]] });
    expect(Array.from(model.grid.prototypes.data)).toEqual([2, 1]);
    expect(Array.from(model.grid.ages.data)).toEqual([3, 2]);
  });

  it('halfLife and minWeight count rows, in whatever unit weights are', async () => {
    const grids = [1, 1e-3].map(async (unit) => {
      const model = estimators.clusterer.make({ kInit: 4, halfLife: 30, minWeight: 3, pruneEvery: 1 });
      const { X } = rows(60, 2);
      for (let begin = 0; begin < 60; begin += 20) {
        await model.fitBatch(X.slice(begin, begin + 20), undefined, {
          sampleWeight: new Array(20).fill(unit),
        });
      }
      return model.grid;
    });
    const [one, other] = await Promise.all(grids);
    expect(other?.prototypes.shape).toEqual(one?.prototypes.shape);
    near(other?.prototypes.data ?? [], one?.prototypes.data ?? []);
  });

  it.each(['standard', 'original'])('%s arithmetic is saved', async (arithmetic) => {
    const { X, y } = rows(30);
    const model = estimators.regressor.make({ arithmetic });
    const sampleWeight = X.map((_, i) => 1e-3 * (1 + (i % 3)));
    await model.fit(X, y, { sampleWeight });
    const again = await estimators.regressor.load(await model.save());
    for (const each of [model, again]) await each.fitBatch(X, y, { sampleWeight, featureMask: [1, 1, 0.5] });
    expect(await again.save()).toEqual(await model.save());
  });
});

describe('few rows', () => {
  const X = [[0], [1], [2], [100], [101], [102]];
  const y = ['a', 'a', 'a', 'b', 'b', 'b'];

  it('of two classes are told apart', async () => {
    const model = estimators.classifier.make();
    await model.fit(X, y);
    expect(await model.score(X, y)).toBe(1);
  });

  it.each([2, 5, 17, 40])('of %i classes have a prototype each at least', async (classes) => {
    const at = Array.from({ length: 3 * classes }, (_, i) => [
      10 * (i % classes) + i / 1000,
      (i % classes) ** 2,
    ]);
    const model = estimators.classifier.make();
    await model.fit(
      at,
      at.map((_, i) => i % classes),
    );
    expect(model.grid.prototypes.shape[0]).toBeGreaterThanOrEqual(classes);
  });

  it('with a constant feature get the answer of the majority', async () => {
    const same = Array.from({ length: 10 }, () => [3]);
    const model = estimators.classifier.make();
    await model.fit(
      same,
      same.map((_, i) => (i === 4 ? 'a' : 'b')),
    );
    expect((await model.predict([[3]])).data[0]).toBe('b');
    near((await model.predictProba?.([[3]]))?.data ?? [], [0.1, 0.9], 1);
    const numbers = estimators.regressor.make();
    await numbers.fit(
      same,
      same.map((_, i) => (i === 4 ? 10 : 0)),
    );
    near((await numbers.predict([[3]])).data as Float32Array, [1]);
  });

  it.each<[Task, object, string]>([
    ['clusterer', { kInit: 8 }, 'kInit asks for 8 prototypes, and the model has 5'],
    ['clusterer', { kInit: 8, algorithm: 'lloyd' }, 'kInit asks for 8 prototypes, and the model has 5'],
    ['clusterer', { kInit: 8, initMode: 'random' }, 'kInit asks for 8 prototypes, and the model has 5'],
    ['regressor', { nPrototypes: 40 }, 'nPrototypes asks for 40 prototypes, and the model has 5'],
    ['classifier', { kInit: 7 }, 'kInit asks for 14 prototypes, and the model has 5'],
    ['multiLabel', { kInit: 7, initMode: 'kmeans++' }, 'kInit asks for 14'],
    ['regressor', { initMode: 'kmeans++', kTargets: 2, kFeatures: 9 }, 'kTargets asks for 18'],
  ])('%s %o of 5 rows warns of fewer prototypes', async (task, options, text) => {
    const own = {
      clusterer: undefined,
      regressor: [0, 1, 2, 3, 4],
      quantileRegressor: [0, 1, 2, 3, 4],
      classifier: y,
      multiLabel: y.map((c) => [c]),
    }[task];
    const model = estimators[task].make(options);
    const five = own?.slice(0, 5);
    const { warnings } = await model.fit(X.slice(0, 5), five);
    expect(warnings).toEqual([expect.stringContaining(text)]);
    const enough = estimators[task].make();
    expect((await enough.fit(X.slice(0, 5), five)).warnings).toEqual([]);
  });

  it('an empty prototype of a given grid starts again before a fit converges', async () => {
    for (const algorithm of ['ema', 'lloyd']) {
      const model = estimators.clusterer.make({
        algorithm,
        initMode: { prototypes: [[1], [101], [5000]] },
      });
      await model.fit([...X, [50], [51]], undefined, { maxIters: 50 });
      const at = Array.from(model.grid.prototypes.data).sort((a, b) => a - b);
      near(at, [1, 50.5, 101], 1);
    }
  });
});

describe('originalDefaults', () => {
  it("yield to the caller's own options", async () => {
    const prototypes = [
      [0, 0],
      [1, 1],
    ];
    const made = (task: Task, options: object): Model =>
      estimators[task].make({ ...originalDefaults, ...options });
    expect(made('clusterer', { initMode: { prototypes } }).grid.prototypes.shape).toEqual([2, 2]);
    expect(() => made('regressor', { softType: 'gaussian', nPrototypes: 7 })).not.toThrow();
    expect(() => made('regressor', { prototypeModel: 'linear' })).not.toThrow();
    expect(() => made('classifier', { softType: 'gaussian', heads: 2 })).not.toThrow();
    // What a caller writes himself does not.
    expect(() => estimators.clusterer.make({ kInit: 4, initMode: { prototypes } })).toThrow(/kInit 4/);
    expect(() => made('clusterer', { kInit: 4, initMode: { prototypes } })).toThrow(/kInit 4/);
  });

  it.each(tasks)('options that are undefined are absent of a %s and of its calls', async (task) => {
    const names = {
      kInit: undefined,
      kTargets: undefined,
      algorithm: undefined,
      backend,
      nothing: undefined,
    };
    const model = estimators[task].make(names);
    const { X } = rows(30);
    await model.fit(X, estimators[task].targets(X), { sampleWeight: undefined, nothing: undefined });
    expect(await answers(model, X)).toBeDefined();
  });
});
