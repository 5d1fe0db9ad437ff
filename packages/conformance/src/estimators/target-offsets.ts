// Targets far from 0: for y = sin x + offset, a model learns, answers, scores and stores the same as for sin x.

import { FastKMeansRegressor, jsBackend, type RegressorOptions } from '@fkm/core';
import { expect } from 'vitest';
import type { Check } from '../contract.js';

const rows = 240;
const X = Array.from({ length: rows }, (_, i) => [(6.28 * ((i * 89) % rows)) / rows]);
const truth = X.map(([x]) => Math.sin(x as number));

/** R² in float64, of answers to sin x + offset. */
function r2(answers: ArrayLike<number>, offset: number): number {
  let [residual, variance] = [0, 0];
  const mean = truth.reduce((sum, t) => sum + t, 0) / rows;
  truth.forEach((t, i) => {
    residual += ((answers[i] as number) - offset - t) ** 2;
    variance += (t - mean) ** 2;
  });
  return 1 - residual / variance;
}

/** Files hold float32, which rounds the results of a float64 backend. */
function expectSame(got: ArrayLike<number>, want: ArrayLike<number>): void {
  for (let i = 0; i < want.length; i++)
    expect(Math.abs((got[i] as number) - (want[i] as number))).toBeLessThan(1e-5);
}

const targets: Readonly<Record<string, (y: readonly number[]) => never>> = {
  'number[]': (y) => y as never,
  Float64Array: (y) => Float64Array.from(y) as never,
  'flat rows': (y) => ({ data: Float64Array.from(y), shape: [y.length, 1] }) as never,
  'nested rows': (y) => y.map((value) => [value]) as never,
};

const settings: Readonly<Record<string, Omit<RegressorOptions, 'backend'>>> = {
  'of default options': {},
  'of strata': { softType: 'scaled', initMode: 'kmeans++', kTargets: 12, kFeatures: 4, topK: 3 },
  'of raw features': { scaling: 'none', nPrototypes: 32, heads: 2 },
  'of lines': { prototypeModel: 'linear', nPrototypes: 16, heads: 1 },
  'in float16': { dtype: 'float16' },
};

const offsets = [1e8, -1e12, 1e5] as const;

export const targetOffsetChecks = (): Check[] => [
  ...Object.entries(settings).flatMap(([what, options]) =>
    offsets.map((offset) => ({
      key: `regressor ${what}: learns sin x + ${offset} as sin x`,
      run: async (backend: Parameters<Check['run']>[0]) => {
        const y = truth.map((t) => t + offset);
        const learned = async (of: readonly number[]) => {
          const model = new FastKMeansRegressor({ backend, ...options });
          await model.fit(X, of as number[], { maxIters: 4 });
          if (options.softType === undefined) await model.finetune(X, of as number[], { epochs: 4 });
          return model;
        };
        const [model, plain] = [await learned(y), await learned(truth)];
        const { data } = await model.predict(X);
        expect(data).toBeInstanceOf(Float64Array);
        // The last bit of 1e12 is 1e-4.
        const want = r2((await plain.predict(X)).data, 0);
        expect(Math.abs(r2(data, offset) - want)).toBeLessThan(2e-3);
        expect(Math.abs((await model.score(X, y)) - r2(data, offset))).toBeLessThan(1e-4);
        const { loss } = await model.lossAndGradients(X, y);
        expect(Math.abs(loss - (await plain.lossAndGradients(X, truth)).loss)).toBeLessThan(2e-3);
        const again = await FastKMeansRegressor.load(await model.save(), { backend });
        expectSame((await again.predict(X)).data, data);
        await again.fitBatch(X, y);
        await model.fitBatch(X, y);
        expectSame((await again.predict(X)).data, (await model.predict(X)).data);
      },
    })),
  ),
  ...Object.entries(targets).map(([name, make]) => ({
    key: `regressor: y as ${name} is not rounded before its mean is off`,
    run: async (backend: Parameters<Check['run']>[0]) => {
      const offset = 1e8;
      const y = truth.map((t) => t + offset);
      const model = new FastKMeansRegressor({ backend });
      const evalSet = { X, y: make(y) };
      await model.fit(X, make(y), { maxIters: 3, evalSet });
      await model.finetune(X, make(y), { epochs: 3, evalFraction: 0.1 });
      const { data } = await model.predict(X);
      expect(r2(data, offset)).toBeGreaterThan(0.9);
      expect(await model.score(X, make(y))).toBeCloseTo(r2(data, offset), 4);
    },
  })),
  {
    key: 'regressor: a stream of targets far from 0, a column beside one that is near',
    run: async (backend) => {
      const model = new FastKMeansRegressor({ backend, nPrototypes: 40 });
      const y = truth.map((t, i) => [t + 1e8, (X[i] as number[])[0] as number]);
      for (let pass = 0; pass < 3; pass++)
        for (let begin = 0; begin < rows; begin += 80)
          await model.fitBatch(X.slice(begin, begin + 80), y.slice(begin, begin + 80));
      const { data } = await model.predict(X);
      expect(
        r2(
          data.filter((_, i) => i % 2 === 0),
          1e8,
        ),
      ).toBeGreaterThan(0.7);
      expect(await model.score(X, y)).toBeGreaterThan(0.7);
    },
  },
  {
    key: 'regressor: a given grid answers its targets, and a constant is met exactly',
    run: async (backend) => {
      const prototypes = [[0], [10]];
      const wanted = [16_777_217, 16_777_219];
      const initMode = { prototypes, targets: wanted };
      const model = new FastKMeansRegressor({ backend, initMode, softType: 'hard' });
      expect(Array.from((await model.predict(prototypes)).data)).toEqual(wanted);
      expect(Array.from(model.grid.targets?.data ?? [])).toEqual(wanted);
      const again = await FastKMeansRegressor.load(await model.save(), { backend });
      expect(Array.from((await again.predict(prototypes)).data)).toEqual(wanted);
      const constant = new FastKMeansRegressor({ backend, nPrototypes: 16 });
      const y = X.map(() => 16_777_217);
      await constant.fit(X, y, { maxIters: 3 });
      expect(Array.from((await constant.predict([[1]])).data)).toEqual([16_777_217]);
      expect(await constant.score(X, y)).toBe(1);
    },
  },
  {
    key: 'regressor: targets near 0 are answered in float32, as ever',
    run: async () => {
      const model = new FastKMeansRegressor({ backend: jsBackend() });
      await model.fit(X, truth, { maxIters: 2 });
      expect((await model.predict(X)).data).toBeInstanceOf(Float32Array);
    },
  },
];
