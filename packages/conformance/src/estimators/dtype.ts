// Models stored in halves: a backend that has the dtype and one that computes in float32 answer alike, and training sees none
// of it.

import {
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  jsBackend,
} from '@fkm/core';
import { type Backend, encodeHalf } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { friedman } from './data.js';

const { X, y } = friedman(96, 'dtype');
const halves = ['float16', 'bfloat16'] as const;

/** What every estimator has, as far as these checks go. */
interface Model {
  readonly grid: FastKMeansRegressor['grid'];
  fit(X: number[][], y: unknown, options: { readonly maxIters: number }): Promise<unknown>;
  finetune(X: number[][], y: unknown, options: { readonly epochs: number }): Promise<unknown>;
  transform(X: number[][]): Promise<{ readonly data: ArrayLike<number> }>;
  save(options: { readonly optimiser: false }): Promise<Uint8Array>;
}
type Numbers = Promise<{ readonly data: ArrayLike<number> }>;
interface Kind {
  readonly make: (options: { backend: Backend; dtype: 'float32' | (typeof halves)[number] }) => Model;
  readonly load: (bytes: Uint8Array, backend: Backend) => Promise<Model>;
  readonly targets: unknown;
  readonly numbers: (model: Model) => Numbers;
}

const size = { nPrototypes: 12, heads: 2 };
const kinds: Readonly<Record<string, Kind>> = {
  regressor: {
    make: (options) => new FastKMeansRegressor({ ...options, ...size }) as Model,
    load: async (bytes, backend) => (await FastKMeansRegressor.load(bytes, { backend })) as Model,
    targets: y,
    numbers: (model) => (model as unknown as FastKMeansRegressor).predict(X),
  },
  classifier: {
    make: (options) => new FastKMeansClassifier({ ...options, ...size }) as Model,
    load: async (bytes, backend) => (await FastKMeansClassifier.load(bytes, { backend })) as Model,
    targets: y.map((v) => Math.floor(v / 8)),
    numbers: (model) => (model as unknown as FastKMeansClassifier).predictProba(X),
  },
  'multi-label classifier': {
    make: (options) => new FastMultiLabelKMeansClassifier({ ...options, ...size }) as Model,
    load: async (bytes, backend) => (await FastMultiLabelKMeansClassifier.load(bytes, { backend })) as Model,
    targets: y.map((v) => [Number(v > 12), Number(v > 18), Number(v < 15)]),
    numbers: (model) => (model as unknown as FastMultiLabelKMeansClassifier).predictProba(X),
  },
  clusterer: {
    make: (options) => new FastKMeansClusterer({ ...options, kInit: 12 }) as Model,
    load: async (bytes, backend) => (await FastKMeansClusterer.load(bytes, { backend })) as Model,
    targets: undefined,
    numbers: (model) => (model as unknown as FastKMeansClusterer).predictProba(X),
  },
};

async function train(model: Model, targets: unknown): Promise<Model> {
  await model.fit(X, targets, { maxIters: 2 });
  await model.finetune(X, targets, { epochs: 2 });
  return model;
}

function expectNear(got: ArrayLike<number>, want: ArrayLike<number>): void {
  expect(got.length).toBe(want.length);
  Array.from(want).forEach((value, i) => {
    expect(Math.abs((got[i] as number) - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
  });
}

const answers: Check[] = Object.entries(kinds).flatMap(([name, { make, load, targets, numbers }]) =>
  halves.map((dtype) => ({
    key: `a ${name} in ${dtype} learns as in float32, and answers here as on the reference`,
    run: async (backend) => {
      const model = await train(make({ backend, dtype }), targets);
      const full = await train(make({ backend, dtype: 'float32' }), targets);
      const { prototypes } = model.grid;
      expect(prototypes.dtype).toBe(dtype);
      expect(prototypes.data).toEqual(encodeHalf(full.grid.prototypes.data, dtype));
      const there = await load(await model.save({ optimiser: false }), jsBackend());
      expect(there.grid.prototypes).toEqual(prototypes);
      expectNear((await numbers(model)).data, (await numbers(there)).data);
      expectNear((await model.transform(X)).data, (await there.transform(X)).data);
    },
  })),
);

const rows = { train: friedman(250, 'friedman train'), test: friedman(250, 'friedman test') };

/** The same training to the bit, so what is left is the rounding of what was learned. */
const accuracy: Check = {
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
