// How the regressor behaves on a backend, whatever the numbers: bits that repeat, states that go on, and rows that count.

import { FastKMeansRegressor, jsBackend, type RegressorOptions } from '@fkm/core';
import type { Backend } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { friedman } from './data.js';

const { X, y } = friedman(96, 'behaviour');
const two = y.map((v, i) => [v, (X[i] as number[])[0] as number]);

/** Every part of training at work: two heads, a metric, dual scaling. */
const heads = { nPrototypes: 16, heads: 2, metric: 'slopes' } as const;
const plain = { softType: 'scaled', kTargets: 3, kFeatures: 4 } as const;
const kinds = { heads, plain } as const;

const make = (backend: Backend, options: Partial<RegressorOptions>): FastKMeansRegressor =>
  new FastKMeansRegressor({ backend, randomState: 3, ...options });

async function train(backend: Backend, options: Partial<RegressorOptions>): Promise<FastKMeansRegressor> {
  const model = make(backend, options);
  await model.fit(X, y, { maxIters: 2 });
  await model.finetune(X, y, { epochs: 2 });
  return model;
}

const forKinds = (
  key: string,
  run: (backend: Backend, options: Partial<RegressorOptions>) => Promise<void>,
): Check[] =>
  Object.entries(kinds).map(([kind, options]) => ({
    key: `${key}, ${kind}`,
    run: (backend) => run(backend, options),
  }));

const repeats: Check[] = [
  ...forKinds('the same seed gives the same bits, another one others', async (backend, options) => {
    const model = await train(backend, options);
    const bytes = await model.save();
    expect(await (await train(backend, options)).save()).toEqual(bytes);
    const other = await train(backend, { ...options, randomState: 4 });
    expect(other.grid.prototypes.data).not.toEqual(model.grid.prototypes.data);
  }),
  ...forKinds('fitBatch over a stream is fit without shuffling', async (backend, options) => {
    const batchSize = 40;
    const fitted = make(backend, { ...options, batchSize });
    await fitted.fit(X, y, { shuffle: false, maxIters: 1 });
    const streamed = make(backend, { ...options, batchSize });
    for (let begin = 0; begin < X.length; begin += batchSize) {
      await streamed.fitBatch(X.slice(begin, begin + batchSize), y.slice(begin, begin + batchSize));
    }
    expect(await streamed.save()).toEqual(await fitted.save());
  }),
  ...forKinds(
    'a loaded model predicts the same bits and goes on to the same bits',
    async (backend, options) => {
      const model = await train(backend, options);
      await model.fitBatch(X, y, { gradientStep: true });
      const again = await FastKMeansRegressor.load(await model.save(), { backend });
      expect(await again.predict(X)).toEqual(await model.predict(X));
      for (const call of [
        (m: FastKMeansRegressor) => m.fitBatch(X, y, { gradientStep: true }),
        (m: FastKMeansRegressor) => m.fitBatch(X, y),
        (m: FastKMeansRegressor) => m.finetune(X, y, { epochs: 1 }),
      ]) {
        expect(await call(again)).toEqual(await call(model));
      }
      expect(await again.save()).toEqual(await model.save());
    },
  ),
  ...forKinds('findLearningRate moves nothing', async (backend, options) => {
    const model = await train(backend, options);
    await model.fitBatch(X, y, { gradientStep: true });
    const before = await model.save();
    const { learningRate, curve } = await model.findLearningRate(X, y);
    expect(await model.save()).toEqual(before);
    expect(curve.length).toBeGreaterThan(30);
    expect(curve[0]?.learningRate).toBeCloseTo(1e-7, 12);
    expect(curve.map((point) => point.learningRate)).toContain(learningRate);
    expect(learningRate).toBeGreaterThan(1e-5);
    expect(learningRate).toBeLessThan(10);
  }),
];

const states: Check[] = [
  ...forKinds('frozen prototypes stay in both phases', async (backend, options) => {
    const model = await train(backend, options);
    // Leaves moments behind, which would carry a prototype on.
    await model.fitBatch(X, y, { gradientStep: true });
    const { prototypes, targets, frozen } = model.grid;
    const held = Array.from(frozen.data, (_, k) => k % 3 === 0);
    model.freezePrototypes(held);
    await model.fitBatch(X, y, { gradientStep: true });
    await model.fitBatch(X, y);
    await model.fit(X, y, { maxIters: 1 });
    await model.finetune(X, y, { epochs: 1 });
    const after = model.grid;
    const width = prototypes.shape[1] as number;
    held.forEach((stays, k) => {
      const row = (data: ArrayLike<number>) => Array.from(data).slice(k * width, (k + 1) * width);
      if (stays) expect(row(after.prototypes.data)).toEqual(row(prototypes.data));
      if (stays) expect(after.targets?.data[k]).toBe(targets?.data[k]);
    });
    const moved = held.filter(
      (stays, k) => !stays && after.prototypes.data[k * width] !== prototypes.data[k * width],
    );
    expect(moved.length).toBeGreaterThan(0);
  }),
  ...forKinds('what a mask hides is not seen', async (backend, options) => {
    const featureMask = X.map((x, i) => x.map((_, j) => Number((i + j) % 4 > 0)));
    const hiding = (value: number) => X.map((x, i) => x.map((v, j) => (featureMask[i]?.[j] ? v : value)));
    const run = async (rows: number[][]) => {
      const model = make(backend, options);
      await model.fit(rows, y, { featureMask, maxIters: 2 });
      await model.finetune(rows, y, { featureMask, epochs: 1 });
      return { bytes: await model.save(), predicted: await model.predict(rows, { featureMask }) };
    };
    const [nan, large] = [await run(hiding(Number.NaN)), await run(hiding(1e30))];
    expect(nan.predicted.data.every(Number.isFinite)).toBe(true);
    expect(large).toEqual(nan);
  }),
  ...forKinds('no rows give no predictions', async (backend, options) => {
    const model = await train(backend, options);
    const { data, shape } = await model.predict([]);
    expect([data.length, shape]).toEqual([0, [0]]);
    expect((await model.transform([])).shape).toEqual([0, model.grid.prototypes.shape[0]]);
    expect((await model.predict(X.slice(0, 1))).data[0]).toBeCloseTo(
      (await model.predict(X)).data[0] as number,
      4,
    );
  }),
  ...forKinds('predicts on another backend as on its own', async (backend, options) => {
    const model = await train(backend, options);
    const other = await FastKMeansRegressor.load(await model.save(), { backend: jsBackend() });
    const [own, there] = [await model.predict(X), await other.predict(X)];
    own.data.forEach((value, i) => {
      expect(Math.abs((there.data[i] as number) - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
    });
  }),
];

const softTypes = ['gaussian', 'hard', 'mean', 'scaled', 'softmax_scaled'] as const;
const distances = ['cosine', 'euclidean', 'l1'] as const;
const combinations: Check[] = softTypes.flatMap((softType) =>
  distances.map((distance) => ({
    key: `${softType} routing by ${distance}: two targets, finite numbers`,
    run: async (backend) => {
      const size = softType === 'gaussian' ? { nPrototypes: 12, heads: 2 } : { kTargets: 3, kFeatures: 4 };
      const model = make(backend, { softType, distance, ...size });
      await model.fit(X, two, { maxIters: 2 });
      if (softType === 'hard' || softType === 'mean') {
        await expect(model.finetune(X, two)).rejects.toThrow("use softType 'gaussian'");
      } else {
        const history = await model.finetune(X, two, { epochs: 2, evalFraction: 0 });
        expect(history.every(({ loss }) => Number.isFinite(loss))).toBe(true);
      }
      const { data, shape } = await model.predict(X);
      expect(shape).toEqual([X.length, 2]);
      expect(data.every(Number.isFinite)).toBe(true);
      expect(await model.score(X, two)).toBeGreaterThan(softType === 'gaussian' ? 0.2 : -0.1);
    },
  })),
);

/** Bits that repeat, states that go on, every combination of routing and distance. */
export const behaviourChecks = (): Record<string, Check[]> => ({ repeats, states, combinations });
