// CSR rows on a backend: every estimator learns from them and answers as with the same dense rows.

import type { Csr, Matrix } from '@fkm/core';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { seeded } from '../random.js';
import { expectNear } from './compare.js';
import type { Model } from './model.js';
import { estimators } from './table.js';

const [rows, columns] = [120, 40];

/** Rows with few values, in columns that depend on their group of three; and the same rows dense. */
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

export const sparseChecks = (): Check[] =>
  Object.entries(estimators).map(([name, { make, targets, small }]) => ({
    key: `${name}: learns and answers from CSR as from dense rows`,
    run: async (backend) => {
      const [a, b] = [csr, dense].map(() => make({ backend, scaling: 'none', ...small(true) })) as [
        Model,
        Model,
      ];
      const y = targets(sizes);
      await a.fit(csr, y, { maxIters: 2 });
      await b.fit(dense, y, { maxIters: 2 });
      expectNear(a.grid.prototypes.data, b.grid.prototypes.data, 'prototypes');
      const gently = { epochs: 2, lr: 1e-3 };
      await a.finetune(csr, y, gently);
      await b.finetune(dense, y, gently);
      expectNear((await a.transform(csr)).data, (await b.transform(dense)).data, 'trained', 2e-3);
      expectNear((await a.transform(csr)).data, (await a.transform(dense)).data, 'similarity', 1e-5);
      expect((await a.predict(csr)).data).toEqual((await a.predict(dense)).data);
    },
  }));
