// How callers' arrays are handled on a backend: shared memory works like any other, buffers may be overwritten while a call runs,
// and masked values may be NaN.

import type { Csr, Matrix } from '@fkm/core';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { seeded } from '../random.js';
import type { Model } from './model.js';
import { type Estimator, estimators } from './table.js';

const [rows, columns] = [96, 5];
const random = seeded('arrays of callers');
const values = Float32Array.from({ length: rows * columns }, () => random() * 4 - 2);
const weights = Float32Array.from({ length: rows }, () => 0.5 + random());
const present = Float32Array.from({ length: rows * columns }, (_, i) => (i % 7 === 3 ? 0 : 1));
const numbers = Array.from({ length: rows }, (_, i) => Math.sin(values[i * columns] as number) + (i % 3));
const shape = [rows, columns] as const;

type Numbers = Float32Array | Int32Array | Uint32Array;
/** Copies an array into memory of some kind. */
type Like = <A extends Numbers>(array: A) => A;

/** The same numbers in shared memory. */
const shared: Like = <A extends Numbers>(array: A): A => {
  const Kind = array.constructor as new (buffer: SharedArrayBuffer) => A;
  const copy = new Kind(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
};

const sparse = (like: Like): Csr => ({
  indptr: like(Uint32Array.from({ length: rows + 1 }, (_, i) => i * columns)),
  indices: like(Int32Array.from({ length: rows * columns }, (_, i) => i % columns)),
  values: like(values.slice()),
  shape,
});

const same: Like = (array) => array;

/** The answers of a model after training on these rows, as plain arrays. */
async function outcome(model: Model, X: Matrix, y: unknown, like: Like): Promise<unknown> {
  const dense = !('indptr' in X);
  const mask = { data: like(present.slice()), shape };
  const given = { sampleWeight: like(weights.slice()), ...(dense ? { featureMask: mask } : {}) };
  const asked = dense ? { featureMask: mask } : {};
  await model.fit(X, y, { maxIters: 2, ...given });
  await model.finetune(X, y, { epochs: 2, lr: 1e-3, ...given });
  await model.fitBatch(X, y, given);
  const { loss } = await model.lossAndGradients(X, y, given);
  return {
    loss,
    score: await model.score(X, y, given),
    similarity: (await model.transform(X, asked)).data,
    answers: (await model.predict(X, asked)).data,
  };
}

type Named = readonly [name: string, Estimator];

const sharedCheck = (
  what: string,
  rowsOf: (like: Like) => Matrix,
  [name, { make, targets, small }]: Named,
): Check => ({
  key: `${name}: memory that threads share, ${what}`,
  run: async (backend) => {
    const build = (): Model => make({ backend, scaling: 'none', ...small(true) });
    const y = targets(numbers);
    const expected = await outcome(build(), rowsOf(same), y, same);
    expect(await outcome(build(), rowsOf(shared), y, shared)).toEqual(expected);
  },
});

/** Calls that copy their arguments; the test overwrites these before the calls have answered. */
const overwritten: Readonly<
  Record<string, (model: Model, X: Matrix, y: unknown, options: object, asked: object) => Promise<unknown>>
> = {
  fitBatch: (model, X, y, options) => model.fitBatch(X, y, options),
  'fitBatch by gradients': (model, X, y, options) => model.fitBatch(X, y, { ...options, gradientStep: true }),
  lossAndGradients: (model, X, y, options) => model.lossAndGradients(X, y, options),
  score: (model, X, y, options) => model.score(X, y, options),
  predict: (model, X, _y, _options, asked) => model.predict(X, asked),
  transform: (model, X, _y, _options, asked) => model.transform(X, asked),
};

const overwrittenCheck = ([name, { make, targets, small }]: Named): Check => ({
  key: `${name}: buffers that are filled anew while a call runs`,
  run: async (backend) => {
    const y = targets(numbers);
    for (const kind of ['dense', 'sparse', 'nested'])
      for (const [call, run] of Object.entries(overwritten)) {
        const results: unknown[] = [];
        for (const spoils of [false, true]) {
          const model = make({ backend, scaling: 'none', ...small(true) });
          await model.fit({ data: values, shape }, y, { maxIters: 1 });
          const data = values.slice();
          const [mask, sampleWeight] = [present.slice(), weights.slice()];
          const nested = numbers.map((_, i) => [...values.subarray(i * columns, (i + 1) * columns)]);
          const csr = sparse(same);
          const X = kind === 'nested' ? nested : kind === 'sparse' ? csr : { data, shape };
          const own: unknown = Array.isArray(y)
            ? y.map((value: unknown) => (Array.isArray(value) ? [...value] : value))
            : y;
          const featureMask = kind === 'sparse' ? {} : { featureMask: { data: mask, shape } };
          const answer = run(model, X, own, { sampleWeight, ...featureMask }, featureMask);
          if (spoils) {
            for (const array of [data, mask, sampleWeight, csr.values as Float32Array]) array.fill(0.125);
            (csr.indices as Int32Array).fill(0);
            for (const row of nested) row.fill(0.125);
            if (Array.isArray(own)) own.reverse();
          }
          results.push([await answer, model.grid.prototypes.data.slice()]);
        }
        expect(results[1], `${call} of ${kind} rows`).toEqual(results[0]);
      }
  },
});

/** Masked values have no effect, whatever they are. */
const maskedCheck = ([name, { make, targets, small }]: Named): Check => ({
  key: `${name}: what a mask leaves out may hold NaN`,
  run: async (backend) => {
    const y = targets(numbers);
    for (const scaling of ['none', 'standard', 'dual'] as const) {
      const results: unknown[] = [];
      for (const hidden of [0, Number.NaN, Number.POSITIVE_INFINITY]) {
        const data = values.map((value, i) => (present[i] === 0 ? hidden : value));
        results.push(await outcome(make({ backend, ...small(true), scaling }), { data, shape }, y, same));
      }
      expect(results[1], `NaN, ${scaling}`).toEqual(results[0]);
      expect(results[2], `Infinity, ${scaling}`).toEqual(results[0]);
    }
  },
});

export const arrayChecks = (): Check[] =>
  Object.entries(estimators).flatMap((named) => [
    sharedCheck('dense', (like) => ({ data: like(values.slice()), shape }), named),
    sharedCheck('sparse', sparse, named),
    overwrittenCheck(named),
    maskedCheck(named),
  ]);
