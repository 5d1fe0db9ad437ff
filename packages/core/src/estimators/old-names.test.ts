import { expect, it } from 'vitest';
import { jsBackend } from '../reference/js-backend.js';
import { sourceOf } from '../streams/testing.js';
import { FastKMeansRegressor } from './regressor.js';

const X = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
const y = X.map(([a = 0, b = 0]) => a * b);
const backend = jsBackend();
const small = (options: object = {}): FastKMeansRegressor =>
  new FastKMeansRegressor({ backend, nPrototypes: 4, heads: 1, ...options });
const fitted = async (options: object = {}): Promise<FastKMeansRegressor> => {
  const model = small(options);
  await model.fit(X, y, { maxIters: 1 });
  return model;
};

const calls: Readonly<Record<string, [(given: object) => Promise<unknown>, object, object, object]>> = {
  'passes of fitStream is maxIters': [
    async (given) => {
      const model = small();
      const result = await model.fitStream(sourceOf(X, y, 20), { startRows: 40, ...given });
      return [result, await model.save()];
    },
    { passes: 2 },
    { maxIters: 2 },
    { maxIters: 1 },
  ],
  'learningRate of finetune is lr': [
    async (given) => {
      const model = await fitted();
      return [await model.finetune(X, y, { epochs: 2, ...given }), await model.save()];
    },
    { learningRate: 0.2 },
    { lr: 0.2 },
    { lr: 0.1 },
  ],
  'learningRate of finetune over a source is lr': [
    async (given) => {
      const model = await fitted();
      await model.finetune(sourceOf(X, y, 20), { epochs: 2, ...given });
      return model.save();
    },
    { learningRate: 0.2 },
    { lr: 0.2 },
    { lr: 0.1 },
  ],
  'lr of an estimator is learningRate': [
    async (given) => {
      const model = await fitted(given);
      await model.finetune(X, y, { epochs: 2 });
      return model.save();
    },
    { lr: 0.2 },
    { learningRate: 0.2 },
    { learningRate: 0.1 },
  ],
};

it.each(Object.entries(calls))('%s', async (_, [answer, old, present, other]) => {
  expect(await answer(old)).toEqual(await answer(present));
  expect(await answer(old)).not.toEqual(await answer(other));
  await expect(answer({ ...old, ...present })).rejects.toMatchObject({
    kind: 'option',
    message: expect.stringMatching(/ is the old name of .*, which is here too/),
  });
});

it('the result of a stream has its passes under both names', async () => {
  const result = await small().fitStream(sourceOf(X, y, 20), { startRows: 40, maxIters: 2 });
  expect(result).toEqual({ nIter: 2, passes: 2, batches: 6, rows: 120 });
});
