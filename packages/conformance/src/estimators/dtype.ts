// Models stored in halves: backends with and without the dtype answer alike, and training is not affected.

import { FastKMeansRegressor, jsBackend } from '@fkm/core';
import { encodeHalf } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { expectNear } from './compare.js';
import { friedman } from './data.js';
import type { Model } from './model.js';
import { estimators } from './table.js';

const { X, y } = friedman(96, 'dtype');
const halves = ['float16', 'bfloat16'] as const;

async function train(model: Model, targets: unknown): Promise<Model> {
  await model.fit(X, targets, { maxIters: 2 });
  await model.finetune(X, targets, { epochs: 2 });
  return model;
}

const answers: Check[] = Object.entries(estimators).flatMap(
  ([name, { make, load, targets, numbers, small }]) =>
    halves.map((dtype) => ({
      thorough: dtype === 'bfloat16',
      key: `${name}: learns in ${dtype} as in float32, and answers here as on the reference`,
      run: async (backend) => {
        const of = { backend, ...small(true) };
        const model = await train(make({ ...of, dtype }), targets(y));
        const full = await train(make({ ...of, dtype: 'float32' }), targets(y));
        const { prototypes } = model.grid;
        expect(prototypes.dtype).toBe(dtype);
        expect(prototypes.data).toEqual(encodeHalf(full.grid.prototypes.data, dtype));
        const there = await load(await model.save({ optimiser: false }), { backend: jsBackend() });
        expect(there.grid.prototypes).toEqual(prototypes);
        expectNear(await numbers(model, X), await numbers(there, X), 'answer');
        expectNear((await model.transform(X)).data, (await there.transform(X)).data, 'similarity');
      },
    })),
);

const rows = { train: friedman(250, 'friedman train'), test: friedman(250, 'friedman test') };

/** Training is the same to the bit, so the only difference is rounding of the result. */
const accuracy: Check = {
  thorough: true,
  key: 'halves cost less than half a point of R² on Friedman #1',
  run: async (backend) => {
    const scores: number[] = [];
    for (const dtype of ['float32', ...halves] as const) {
      const model = new FastKMeansRegressor({ backend, nPrototypes: 32, heads: 2, batchSize: 64, dtype });
      await model.fit(rows.train.X, rows.train.y, { maxIters: 3 });
      await model.finetune(rows.train.X, rows.train.y, { epochs: 12, evalFraction: 0 });
      scores.push(await model.score(rows.test.X, rows.test.y));
    }
    expect(scores[0]).toBeGreaterThan(0.8);
    const [full, ...rounded] = scores as [number, ...number[]];
    for (const score of rounded) expect(Math.abs(score - full)).toBeLessThan(0.005);
  },
};

export const dtypeChecks = (): Check[] => [...answers, accuracy];
