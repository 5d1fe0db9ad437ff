// docs/method.md §9: odd requests that make sense, and the result that the documentation says, from every estimator.

import { describe, expect, it } from 'vitest';
import { distanceNames } from '../formulas/distances.js';
import type { FastKMeansClassifier } from './classifier.js';
import type { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { answers, backend, estimators, type Model, rows, small, smallOf, tasks } from './testing.js';

const { X, y } = rows(24);
const ones = (value = 1): number[] => X.map(() => value);

const finite = async (model: Model, at: unknown = X, options?: object): Promise<number[]> => {
  const got = await answers(model, at, options);
  expect(got.every(Number.isFinite)).toBe(true);
  return got;
};
const train = async (model: Model, at: unknown, targets: unknown, options: object = {}): Promise<void> => {
  await model.fit(at, targets, { maxIters: 2, ...options });
  await model.finetune(at, targets, { epochs: 2, ...options });
};
const scalings = ['none', 'standard', 'quantile', 'dual'] as const;
const distances = distanceNames;
const starts = [
  {},
  { softType: 'scaled', initMode: 'kmeans++' },
  { initMode: 'kmeans++' },
  { distance: 'cosine' },
  { distance: 'l1' },
] as const;

describe.each(tasks)('%s', (task) => {
  const targets = estimators[task].targets(X);
  const part = (begin: number, end: number): unknown => targets && (targets as unknown[]).slice(begin, end);

  it.each(scalings)('a constant feature, %s', async (scaling) => {
    const flat = X.map(([a, b]) => [a as number, 5, b as number]);
    const model = smallOf(task, { scaling });
    await train(model, flat, targets);
    const before = await finite(model, flat);
    // Another value there is as good: a dropped column is not compared.
    if (scaling === 'none') return;
    const moved = flat.map(([a, , b]) => [a as number, -7, b as number]);
    expect(await finite(model, moved)).toEqual(before);
  });

  it.each(scalings)('all features constant, %s: the same answer for all', async (scaling) => {
    const flat = X.map(() => [1, 2, 3]);
    const model = smallOf(task, { scaling });
    await train(model, flat, targets);
    const got = await finite(model, flat);
    const width = got.length / X.length;
    expect(got.slice(-width)).toEqual(got.slice(0, width));
  });

  it.each(starts)('one row, %o', async (options) => {
    const model = estimators[task].make(options);
    const [x, own] = [X.slice(0, 1), part(0, 1)];
    await model.fit(x, own);
    await finite(model, x);
    // Every label of the row has a prototype of its own where they stand for labels.
    const owners = task === 'multiLabel' && 'initMode' in options ? (own as string[][])[0]?.length : 1;
    expect(model.grid.prototypes.shape[0]).toBe(owners);
    await model.finetune(x, own, { epochs: 2 });
    await finite(model, X);
    if (task === 'classifier') expect((await model.predict(x)).data).toEqual(own);
  });

  it('fewer rows than prototypes: one prototype a row at most', async () => {
    const drawn = { nPrototypes: undefined, heads: undefined, metric: undefined, initMode: 'kmeans++' };
    const options =
      task === 'clusterer'
        ? [{ kInit: 50 }, { kInit: 50, initMode: 'random' }]
        : [{ nPrototypes: 50 }, { ...drawn, ...(estimators[task].family.numeric ? {} : { kInit: 50 }) }];
    for (const one of options) {
      const model = smallOf(task, one);
      await model.fit(X.slice(0, 9), part(0, 9));
      // A row of several labels is a prototype of each.
      const most = task === 'multiLabel' ? 27 : 9;
      expect(model.grid.prototypes.shape[0]).toBeLessThanOrEqual(most);
      await finite(model);
    }
  });

  it.each(distances)('a row with nothing in it but masked values, %s', async (distance) => {
    for (const options of [
      {},
      { nPrototypes: undefined, heads: undefined, metric: undefined, initMode: 'kmeans++' },
    ]) {
      if (task === 'clusterer' && 'initMode' in options) continue;
      const model = smallOf(task, { distance, ...options });
      const featureMask = X.map((x, i) => x.map(() => (i === 3 ? 0 : 1)));
      const holed = X.map((x, i) => (i === 3 ? x.map(() => Number.NaN) : x));
      await train(model, holed, targets, { featureMask });
      await finite(model, holed, { featureMask });
    }
  });

  it('weights that leave a single row', async () => {
    const model = smallOf(task);
    const sampleWeight = ones(0).map((_, i) => (i === 5 ? 2 : 0));
    await train(model, X, targets, { sampleWeight });
    await finite(model);
  });

  it('a feature of nearly equal, tiny values', async () => {
    const tiny = X.map(([a, b], i) => [a as number, b as number, i % 2 === 0 ? 1e-41 : 0]);
    const model = smallOf(task);
    await train(model, tiny, targets);
    await finite(model, tiny);
  });

  it('rows that are all the same but one', async () => {
    for (const options of [
      {},
      { distance: 'cosine' },
      { softType: 'scaled', nPrototypes: undefined, heads: undefined, metric: undefined },
    ]) {
      if (task === 'clusterer' && 'nPrototypes' in options) continue;
      const same = X.map((_, i) => (i === 7 ? [1, 2, 3] : [0, 0, 0]));
      const model = smallOf(task, options);
      await train(model, same, targets);
      await finite(model, same);
    }
  });
});

describe('one class alone', () => {
  const one = X.map(() => 'only');
  it.each([{}, { prototypeTargets: 'owners' }, { softType: 'scaled' }, { softType: 'hard' }])(
    'is certain, %o',
    async (options) => {
      const model = estimators.classifier.make(options) as unknown as FastKMeansClassifier;
      await model.fit(X, one, { maxIters: 2 });
      if (!('softType' in options && options.softType === 'hard'))
        await model.finetune(X, one, { epochs: 2 });
      expect(model.classes).toEqual(['only']);
      expect((await model.predict(X)).data).toEqual(one);
      const { data, shape } = await model.predictProba(X);
      expect(shape).toEqual([24, 1]);
      for (const p of data) expect(p).toBeCloseTo(1, 5);
      expect(await model.score(X, one)).toBe(1);
    },
  );

  it.each([{}, { softType: 'scaled' }])('of labels, which some rows have, %o', async (options) => {
    const some = X.map(([a]) => [Number((a as number) > 0)]);
    const model = estimators.multiLabel.make(options) as unknown as FastMultiLabelKMeansClassifier;
    await train(model as unknown as Model, X, some);
    expect((await model.predictProba(X)).shape).toEqual([24, 1]);
    for (const strategy of ['adaptive', 'gap'] as const) {
      expect((await model.predict(X, { strategy })).shape).toEqual([24, 1]);
    }
    const all = await model.predict(X, { strategy: 'top_k', k: 5 });
    expect(Array.from(all.data)).toEqual(ones());
  });
});

describe('labels of any kind', () => {
  const index = X.map((_, i) => i % 3);
  it.each([
    ['numbers', index, Int32Array],
    ['typed integers', Int32Array.from(index), Int32Array],
    ['bytes', Uint8Array.from(index), Int32Array],
    ['floats', Float32Array.from(index), Int32Array],
    ['doubles', Float64Array.from(index), Int32Array],
    ['halves', index.map((v) => v / 2), Float64Array],
    ['numbers below 0', index.map((v) => v - 1), Int32Array],
    ['numbers beyond 2^31', index.map((v) => v + 2 ** 40), Float64Array],
    ['texts', index.map((v) => `class ${v}`), Array],
    ['odd texts', index.map((v) => ['', '__proto__', 'toString'][v] as string), Array],
  ] as const)('%s come back as they are', async (_kind, labels, kind) => {
    const model = smallOf('classifier') as unknown as FastKMeansClassifier;
    await model.fit(X, labels as number[]);
    const { data } = await model.predict(X);
    expect(data).toBeInstanceOf(kind);
    for (const label of data) expect(Array.from(labels as ArrayLike<unknown>)).toContain(label);
    const sorted = [...new Set<string | number>(labels)].sort((a, b) => (a < b ? -1 : 1));
    expect(model.classes).toEqual(sorted);
    const again = await estimators.classifier.load(await model.save());
    expect((await again.predict(X)).data).toEqual(data);
  });

  it('0/1 columns may be nested, typed, flat or of booleans', async () => {
    const flags = X.map(([a, b]) => [Number((a as number) > 0), Number((b as number) > 0)]);
    const forms = [
      flags,
      flags.map((row) => Uint8Array.from(row)),
      flags.map((row) => row.map(Boolean)),
      { data: Int32Array.from(flags.flat()), shape: [24, 2] },
      { data: flags.flat(), shape: [24, 2] },
    ];
    const saved = [];
    for (const form of forms) {
      const model = smallOf('multiLabel');
      await model.fit(X, form);
      saved.push(await model.save());
    }
    for (const bytes of saved) expect(bytes).toEqual(saved[0]);
  });

  it('names are labels in their order, however often a list says them', async () => {
    const model = smallOf('multiLabel') as unknown as FastMultiLabelKMeansClassifier;
    const names = X.map((_, i) => (i % 3 === 0 ? [] : i % 3 === 1 ? ['sea', 'air', 'sea'] : ['land']));
    await model.fit(X, names);
    expect(model.classes).toEqual(['air', 'land', 'sea']);
    const flags = smallOf('multiLabel') as unknown as FastMultiLabelKMeansClassifier;
    await flags.fit(
      X,
      names.map((list) => ['air', 'land', 'sea'].map((name) => Number(list.includes(name)))),
    );
    expect(await flags.predictProba(X)).toEqual(await model.predictProba(X));
    expect(await model.score(X, names)).toBe(
      await flags.score(
        X,
        names.map((list) =>
          flags.classes.map((c) => Number(list.includes(model.classes[c as number] as never))),
        ),
      ),
    );
  });
});

describe('clusters', () => {
  it('take options second or third', async () => {
    const ways = [
      (m: Model) => m.fit(X, { maxIters: 2 }),
      (m: Model) => m.fit(X, undefined, { maxIters: 2 }),
      (m: Model) => m.fit(X, null, { maxIters: 2 }),
    ];
    const saved = [];
    for (const way of ways) {
      const model = smallOf('clusterer');
      const { history } = await way(model);
      expect(history.length).toBeLessThanOrEqual(2);
      saved.push(await model.save());
    }
    for (const bytes of saved) expect(bytes).toEqual(saved[0]);
    await smallOf('clusterer').fit(X, undefined);
    await smallOf('clusterer').fitBatch(X, { sampleWeight: ones() });
  });

  it('take an evalSet without y', async () => {
    const { history } = await smallOf('clusterer').fit(X, { evalSet: { X }, maxIters: 2 });
    expect(history[0]?.evalLoss).toBeGreaterThan(0);
  });
});

describe('regression', () => {
  it.each(scalings)('of constant features gives the mean, %s', async (scaling) => {
    const flat = X.map(() => [1, 2, 3]);
    const model = small({ scaling, nPrototypes: 1 });
    await model.fit(flat, y);
    const mean = y.reduce((a, b) => a + b, 0) / y.length;
    for (const value of (await model.predict(flat)).data) expect(value).toBeCloseTo(mean, 4);
  });

  it.each(starts)('of one row gives its target, %o', async (options) => {
    const model = new FastKMeansRegressor({ backend, ...options });
    await model.fit([[1, 2, 3]], [7]);
    expect((await model.predict([[1, 2, 3]])).data[0]).toBeCloseTo(7, 5);
    await model.finetune([[1, 2, 3]], [7], { epochs: 2 });
    expect((await model.predict([[1, 2, 3]])).data[0]).toBeCloseTo(7, 1);
  });

  it('of a constant target gives that constant', async () => {
    const model = small();
    await model.fit(X, ones(3));
    await model.finetune(X, ones(3), { epochs: 2 });
    for (const value of (await model.predict(X)).data) expect(value).toBeCloseTo(3, 4);
    expect(await model.score(X, ones(4))).toBe(0);
  });

  it('of a target that is constant in the first batch alone', async () => {
    const model = small();
    await model.fitBatch(X, ones(0.1));
    for (let i = 0; i < 20; i++) await model.fitBatch(X, y);
    expect(await model.score(X, y)).toBeGreaterThan(0.3);
    await model.finetune(X, y, { epochs: 5 });
    expect(await model.score(X, y)).toBeGreaterThan(0.3);
  });
});
