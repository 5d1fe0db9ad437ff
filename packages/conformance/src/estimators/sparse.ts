// CSR rows on a backend: every estimator learns from them, and answers for them, what it does where they are dense.

import {
  type Csr,
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  type Matrix,
} from '@fkm/core';
import type { Backend } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { seeded } from '../random.js';

const [rows, columns] = [120, 40];

/** Rows of few values, in columns that their group of three prefers; the same ones dense. */
function sparseRows(): { csr: Csr; dense: Matrix; groups: number[] } {
  const random = seeded('sparse rows');
  const data = new Float32Array(rows * columns);
  const [indptr, indices, values, groups]: [number[], number[], number[], number[]] = [[0], [], [], []];
  for (let i = 0; i < rows; i++) {
    const group = Math.floor(3 * random());
    for (let j = 0; j < columns; j++) {
      if (random() > (j % 3 === group ? 0.3 : 0.03)) continue;
      const value = 0.5 + random();
      data[i * columns + j] = value;
      indices.push(j);
      values.push(value);
    }
    indptr.push(indices.length);
    groups.push(group);
  }
  const shape = [rows, columns] as const;
  return { csr: { indptr, indices, values, shape }, dense: { data, shape }, groups };
}

const { csr, dense, groups } = sparseRows();
const sizes = groups.map((group, i) => group + (csr.indptr[i + 1] as number) - (csr.indptr[i] as number));
const labels = groups.map((group, i) => [Number(group === 0), Number(group < 2), i % 2]);

/** What every estimator has, as far as these checks go. */
interface Model {
  readonly grid: FastKMeansRegressor['grid'];
  fit(X: Matrix, y: unknown, options: { readonly maxIters: number }): Promise<unknown>;
  finetune(
    X: Matrix,
    y: unknown,
    options: { readonly epochs: number; readonly lr: number },
  ): Promise<unknown>;
  predict(X: Matrix): Promise<{ readonly data: ArrayLike<number | string> }>;
  transform(X: Matrix): Promise<{ readonly data: ArrayLike<number> }>;
}
type Make = (options: { backend: Backend; scaling: 'none' }) => Model;

const size = { nPrototypes: 12, heads: 2, metric: 'none' } as const;
const kinds: Readonly<Record<string, readonly [Make, unknown]>> = {
  clusterer: [(options) => new FastKMeansClusterer({ ...options, kInit: 6 }) as Model, undefined],
  classifier: [(options) => new FastKMeansClassifier({ ...options, ...size }) as Model, groups],
  'multi-label classifier': [
    (options) => new FastMultiLabelKMeansClassifier({ ...options, ...size }) as Model,
    labels,
  ],
  regressor: [(options) => new FastKMeansRegressor({ ...options, ...size }) as Model, sizes],
};

function expectNear(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(want.length);
  Array.from(want).forEach((value, i) => {
    expect(Math.abs((got[i] as number) - value)).toBeLessThan(tolerance * Math.max(1, Math.abs(value)));
  });
}

export const sparseChecks = (): Check[] =>
  Object.entries(kinds).map(([name, [make, y]]) => ({
    key: `a ${name} learns and answers from CSR as from dense rows`,
    run: async (backend) => {
      const [a, b] = [csr, dense].map(() => make({ backend, scaling: 'none' })) as [Model, Model];
      await a.fit(csr, y, { maxIters: 2 });
      await b.fit(dense, y, { maxIters: 2 });
      expectNear(a.grid.prototypes.data, b.grid.prototypes.data, 1e-4);
      const gently = { epochs: 2, lr: 1e-3 };
      await a.finetune(csr, y, gently);
      await b.finetune(dense, y, gently);
      expectNear((await a.transform(csr)).data, (await b.transform(dense)).data, 2e-3);
      expectNear((await a.transform(csr)).data, (await a.transform(dense)).data, 1e-5);
      expect((await a.predict(csr)).data).toEqual((await a.predict(dense)).data);
    },
  }));
