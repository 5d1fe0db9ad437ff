// fit, finetune and predict over sources: as over arrays where that can be, and typed errors where not.

import { describe, expect, it } from 'vitest';
import { FastKMeansClassifier } from '../estimators/classifier.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { FastMultiLabelKMeansClassifier } from '../estimators/multi-label.js';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import { QuantileScaler, StandardScaler } from '../estimators/scalers.js';
import { backend, expectError } from '../estimators/testing.js';
import { Random } from '../random.js';
import type { FlatMatrix, Source } from '../state/source.js';
import { labelled, sourceOf } from './testing.js';

const { X, y, classes } = labelled(400);
const lists = classes.map((name, i) => (i % 2 === 0 ? [name, 'even'] : [name]));
const options = { backend, nPrototypes: 12, heads: 2, metric: 'none' } as const;

describe('fit of a source', () => {
  it('gives the bits of fit without shuffling where batches are alike', async () => {
    const over = new FastKMeansClassifier({ ...options, batchSize: 400 });
    const from = new FastKMeansClassifier({ ...options, batchSize: 400 });
    const expected = await over.fit(X, classes, { shuffle: false, maxIters: 4 });
    const result = await from.fit(sourceOf(X, classes, 400), { maxIters: 4 });
    expect(result).toEqual(expected);
    expect(await from.save()).toEqual(await over.save());
  });

  it('learns from batches as from the whole, and starts idle prototypes again', async () => {
    // A far cluster that the start does not see: some prototype has to come to it.
    const far = [...X, ...X.slice(0, 40).map((row) => row.map((value) => value + 50))];
    const grid = {
      prototypes: [
        [0, 0, 0],
        [-9, -9, -9],
        [-9, -9, 9],
      ],
    };
    const model = new FastKMeansClusterer({ backend, initMode: grid });
    await model.fit(sourceOf(far, undefined, 64), { maxIters: 6 });
    const found = await model.predict(far);
    const near = new Set(found.data.slice(0, 400));
    expect(found.data.slice(400).some((k) => near.has(k))).toBe(false);
    expect(Math.max(...model.grid.prototypes.data)).toBeGreaterThan(40);
    await expectError(() => model.labels, { kind: 'state', says: ['labels'] });
  });

  it('holds rows of the first batches out, and keeps the pass that does best on them', async () => {
    const model = new FastKMeansRegressor(options);
    const { history } = await model.fit(sourceOf(X, y, 50), { maxIters: 3, evalFraction: 0.2 });
    expect(history.every(({ evalLoss }) => Number.isFinite(evalLoss))).toBe(true);
    const own = await new FastKMeansRegressor(options).fit(sourceOf(X, y, 50), {
      evalSet: { X, y },
      maxIters: 2,
    });
    expect(own.history).toHaveLength(2);
  });

  it('gives labels of later batches a place, also beside rows that are held out', async () => {
    const model = new FastMultiLabelKMeansClassifier(options);
    // The start sees 10,240 rows, of which a twentieth evaluates: behind them comes one more label.
    const many = Array.from({ length: 10_800 }, (_, i) => X[i % 400] as number[]);
    const sets = many.map((_, i) => (i < 10_400 ? (lists[i % 400] as string[]) : ['late']));
    const source = sourceOf(many, sets, 100);
    await model.fit(source, { maxIters: 2, evalFraction: 0.05 });
    expect(model.classes).toEqual(['even', 'high', 'low', 'middle', 'late']);
  });

  it('leaves the model as it was when the source fails, and closes it', async () => {
    const model = new FastKMeansRegressor(options);
    await model.fitBatch(X, y);
    const before = await model.save();
    const bad = X.map((row, i) => (i === 333 ? [0, Number.NaN, 0] : row));
    const source = sourceOf(bad, y, 100);
    for (const call of [() => model.fit(source), () => model.finetune(source, { epochs: 1 })])
      await expectError(call, { kind: 'data', says: ['NaN in row 3'] });
    expect(await model.save()).toEqual(before);
    expect(source.closed).toBe(source.opened);
  });

  it.each<[string, () => Promise<unknown>, readonly string[]]>([
    [
      'weights beside a source',
      () => new FastKMeansRegressor(options).fit(sourceOf(X, y, 50), { sampleWeight: y } as object),
      ['fit of a source', 'sampleWeight'],
    ],
    [
      'another order',
      () => new FastKMeansRegressor(options).fit(sourceOf(X, y, 50), { shuffle: true } as object),
      ['shuffle'],
    ],
    [
      'stopping by no rows',
      () =>
        new FastKMeansRegressor(options).finetune(sourceOf(X, y, 50), {
          earlyStoppingRounds: 2,
          evalFraction: 0,
        }),
      ['earlyStoppingRounds'],
    ],
  ])('refuses %s', (_, call, says) => expectError(call, { kind: 'option', says }));
});

describe('finetune of a source', () => {
  it('lets a tenth of the first rows wait as finetune of arrays does, and joins them', async () => {
    const many = labelled(600);
    const random = new Random(5);
    const noise = many.y.map(() => random.uniform());
    const run = async (targets: number[]): Promise<boolean[]> => {
      const model = new FastKMeansRegressor({ ...options, nPrototypes: 60, heads: 1, batchSize: 32 });
      const source = sourceOf(many.X, targets, 64);
      await model.fit(source, { maxIters: 2 });
      const history = await model.finetune(source, { epochs: 25 });
      return history.map(({ evalLoss }) => evalLoss !== undefined);
    };
    expect(await run(many.y)).toEqual(Array.from({ length: 25 }, (_, epoch) => epoch < 10));
    expect((await run(noise)).every(Boolean)).toBe(true);
  });

  it("finds a learning rate on the first rows with lr 'auto'", async () => {
    const model = new FastKMeansRegressor(options);
    const source = sourceOf(X, y, 50);
    await model.fit(source, { maxIters: 2 });
    const { learningRate } = await model.findLearningRate(X, y);
    const history = await model.finetune(source, { epochs: 2, lr: 'auto' });
    expect(history.map((epoch) => epoch.peakLearningRate)).toEqual([learningRate, learningRate]);
  });

  it.each([
    ['counted', 400],
    ['not counted', undefined],
  ])('refines as over arrays, rows %s', async (_, rowCount) => {
    const model = new FastKMeansRegressor({ ...options, batchSize: 64, learningRate: 0.05 });
    const source = sourceOf(X, y, 30, rowCount === undefined ? {} : { rowCount });
    await model.fit(source, { maxIters: 2 });
    const before = await model.score(X, y);
    const history = await model.finetune(source, { epochs: 12 });
    expect(history).toHaveLength(12);
    expect(history.every(({ evalLoss }) => evalLoss === undefined)).toBe(true);
    // One cycle: the rate has fallen to nearly nothing by the last of the steps that were counted.
    expect(history[11]?.learningRate).toBeLessThan(1e-4);
    expect(await model.score(X, y)).toBeGreaterThan(Math.max(0.9, before));
    expect(source.closed).toBe(source.opened);
  });

  it('never trains on a row that evaluates', async () => {
    // Rows that are held out have a target that would ruin what is learned.
    const model = new FastKMeansRegressor({ ...options, batchSize: 50 });
    const twin = new FastKMeansRegressor({ ...options, batchSize: 50 });
    await model.fit(X, y, { maxIters: 1 });
    await twin.fit(X, y, { maxIters: 1 });
    const first = await model.finetune(sourceOf(X, y, 30), { epochs: 1, evalFraction: 0.5 });
    const { Random } = await import('../random.js');
    const held = new Set(new Random(1).permutation(400).subarray(0, 200));
    const other = y.map((value, i) => (held.has(i) ? 1000 : value));
    const second = await twin.finetune(sourceOf(X, other, 30), { epochs: 1, evalFraction: 0.5 });
    expect(second[0]?.loss).toBe(first[0]?.loss);
    expect(second[0]?.evalLoss).not.toBe(first[0]?.evalLoss);
  });

  it('refuses a class that it does not know, and a mask that begins late', async () => {
    const model = new FastKMeansClassifier(options);
    await model.fit(
      X.slice(0, 300),
      classes
        .slice(0, 300)
        .map(() => 'a')
        .map((name, i) => (i % 2 ? 'b' : name)),
    );
    // Within the first rows a new class is taken in; behind them it is too late.
    const late = Array.from({ length: 11_000 }, (_, i) => (i < 10_500 ? 'ab'[i % 2] : 'c')) as string[];
    const many = late.map((_, i) => X[i % 400] as number[]);
    await expectError(() => model.finetune(sourceOf(many, late, 500), { epochs: 1 }), {
      kind: 'data',
      says: ["'c'", 'has not seen'],
    });
    const masked = sourceOf(X, y, 40, { with: (begin) => (begin < 200 ? {} : { featureMask: [1, 0, 1] }) });
    const lateMask: Source = {
      ...masked,
      async *[Symbol.asyncIterator]() {
        for (let i = 0; i < 60; i++)
          for await (const batch of masked) if (i > 58 || !batch.featureMask) yield batch;
      },
    };
    const regressor = new FastKMeansRegressor(options);
    await expectError(() => regressor.finetune(lateMask, { epochs: 1 }), {
      kind: 'option',
      says: ['give every batch one'],
    });
  });
});

describe('predict of a source', () => {
  it('answers every batch as it answers arrays', async () => {
    const models = [
      [new FastKMeansClusterer({ backend, kInit: 5 }), undefined],
      [new FastKMeansRegressor(options), y],
      [new FastKMeansClassifier(options), classes],
      [new FastMultiLabelKMeansClassifier(options), lists],
    ] as const;
    for (const [model, targets] of models) {
      await (model as FastKMeansRegressor).fitBatch(X, targets as number[]);
      const whole = await model.predict(X);
      const parts: unknown[] = [];
      const sizes: number[] = [];
      for await (const { data, shape } of model.predict(sourceOf(X, undefined, 150))) {
        sizes.push(shape[0] as number);
        parts.push(...data);
      }
      expect(parts).toEqual([...whole.data]);
      expect(sizes).toEqual([150, 150, 100]);
      if (!('predictProba' in model)) continue;
      const probabilities: number[] = [];
      for await (const { data } of model.predictProba(sourceOf(X, undefined, 150)))
        probabilities.push(...data);
      expect(probabilities).toEqual(Array.from((await model.predictProba(X)).data));
    }
  });
});

describe.each([
  ['StandardScaler', () => new StandardScaler()],
  ['QuantileScaler', () => new QuantileScaler()],
])('%s', (_, build) => {
  it('fits a source as the rows of it, and scales it batch by batch', async () => {
    const withConstant = X.map((row) => [...row, 3]);
    const [over, from] = [build().fit(withConstant), build()];
    const source = sourceOf(withConstant, y, 150, { rowCount: 400 });
    await from.fit(source);
    expect(from.keptColumns).toEqual(Int32Array.of(0, 1, 2));
    expect(from.transform(withConstant)).toEqual(over.transform(withConstant));
    const scaled = from.transform(source);
    expect([scaled.columns, scaled.rowCount]).toEqual([['f0', 'f1', 'f2'], 400]);
    const parts: number[] = [];
    const targets: number[] = [];
    for await (const { X: rows, y: said } of scaled) {
      parts.push(...(rows as FlatMatrix).data);
      targets.push(...(said as number[]));
    }
    expect(parts).toEqual([...over.transform(withConstant).data]);
    expect(targets).toEqual(y);
    await new FastKMeansRegressor(options).fit(scaled, { maxIters: 1 });
  });

  it('looks at a drawn sample of what is too long, which every row can be in', async () => {
    const n = 200_000;
    const rising = Array.from({ length: n }, (_, i) => [i]);
    const scaler = build();
    await scaler.fit(sourceOf(rising, undefined, 50_000));
    const whole = build().fit(rising);
    const [a, b] = [scaler, whole].map((one) => one.transform([[0], [n / 2], [n - 1]]).data) as [
      Float32Array,
      Float32Array,
    ];
    // 65,536 of the rows: the mean is right to a 256th of a deviation, and so are quantiles but for the ends.
    for (const i of [1]) expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThan(0.02);
    expect(Math.abs((a[0] as number) - (b[0] as number))).toBeLessThan(1);
  });

  it('refuses a source without rows', async () => {
    await expectError(() => build().fit(sourceOf([], undefined, 3)), { kind: 'data', says: ['no rows'] });
  });
});

describe('score of a source', () => {
  const weights = Float32Array.from(X, (_, i) => 0.5 + (i % 3));
  const weighted = (targets: readonly unknown[] | undefined, size: number): Source =>
    sourceOf(X, targets, size, {
      with: (begin, end) => ({
        sampleWeight: weights.subarray(begin, end),
        featureMask: [1, 1, 0],
      }),
    });

  it.each<[string, ScoredModel, readonly unknown[] | undefined]>([
    ['inertia', new FastKMeansClusterer({ backend, kInit: 5 }) as unknown as ScoredModel, undefined],
    ['R²', new FastKMeansRegressor(options) as unknown as ScoredModel, y],
    ['accuracy', new FastKMeansClassifier(options) as unknown as ScoredModel, classes],
    ['F1', new FastMultiLabelKMeansClassifier(options) as unknown as ScoredModel, lists],
  ])('is the %s of all its rows, however they come', async (_, model, targets) => {
    await model.fitBatch(X, targets);
    const whole = await model.score(X, targets);
    const masked = await model.score(X, targets, { sampleWeight: weights, featureMask: [1, 1, 0] });
    expect(masked).not.toBe(whole);
    for (const size of [400, 150, 7]) {
      expect(await model.score(sourceOf(X, targets, size))).toBeCloseTo(whole, 9);
      expect(await model.score(weighted(targets, size))).toBeCloseTo(masked, 9);
    }
  });

  it('of several columns, far from 0, is that of the whole', async () => {
    const model = new FastKMeansRegressor(options);
    const both = y.map((value, i) => [1e4 + value, (i * 7) % 5]);
    await model.fitBatch(X, both);
    const whole = await model.score(X, both);
    const source = sourceOf(X, undefined, 33, {
      with: (begin, end) => ({
        y: { data: Float64Array.from(both.slice(begin, end).flat()), shape: [end - begin, 2] },
      }),
    });
    expect(await model.score(source)).toBeCloseTo(whole, 9);
  });

  it('takes the strategy of a multi-label classifier, and a signal', async () => {
    const model = new FastMultiLabelKMeansClassifier(options);
    await model.fitBatch(X, lists);
    const strategy = { strategy: 'top_k', k: 1 } as const;
    const whole = await model.score(X, lists, strategy);
    expect(whole).not.toBe(await model.score(X, lists));
    expect(await model.score(sourceOf(X, lists, 90), strategy)).toBeCloseTo(whole, 12);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(model.score(sourceOf(X, lists, 90), { signal })).rejects.toThrow('enough');
  });

  it.each<[string, (model: FastKMeansClassifier) => Promise<unknown>, 'option' | 'data', readonly string[]]>([
    ['no targets', (m) => m.score(sourceOf(X, undefined, 50)), 'option', ['no y', 'target']],
    [
      'no rows',
      (m) => m.score({ columns: ['a', 'b', 'c'], async *[Symbol.asyncIterator]() {} }),
      'data',
      ['no rows'],
    ],
    [
      'a class that it has not seen',
      (m) => m.score(sourceOf(X, [...classes.slice(0, 399), 'new'], 50)),
      'data',
      ["score, batch 7: y is 'new' in row 49"],
    ],
    [
      'weights beside the source',
      (m) => m.score(sourceOf(X, classes, 50), { sampleWeight: y } as object),
      'option',
      ['score of a source', 'sampleWeight'],
    ],
  ])('refuses %s', async (_, call, kind, says) => {
    const model = new FastKMeansClassifier(options);
    await model.fitBatch(X, classes);
    await expectError(() => call(model), { kind, says });
  });
});

/** What scores have in common, targets unchecked. */
interface ScoredModel {
  fitBatch(X: unknown, y: unknown): Promise<number>;
  score(X: unknown, y?: unknown, options?: object): Promise<number>;
}
