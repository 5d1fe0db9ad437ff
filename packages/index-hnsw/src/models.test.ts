// Models of @fkm/core that search by this index, beside the same models without one.

import { FastKMeansClassifier, FastKMeansClusterer, FastKMeansRegressor, jsBackend } from '@fkm/core';
import { describe, expect, it } from 'vitest';
import { hnswIndex } from './hnsw-index.js';
import { somePoints } from './testing.js';

const backend = jsBackend();
const [count, columns] = [4500, 8];
const prototypes = somePoints('clustered', count, columns, 3);
// Rows of the same clusters, none of them a prototype.
const all = somePoints('clustered', count, columns, 3).data.map((v, i) => v + 0.05 * Math.sin(i));
const X = { data: all.slice(0, 300 * columns), shape: [300, columns] as const };
const owners = Array.from({ length: count }, (_, k) => k % 3000);
const targets = Array.from({ length: count }, (_, k) => Math.sin(k));

const share = (a: ArrayLike<unknown>, b: ArrayLike<unknown>): number =>
  Array.from(a).filter((value, i) => value === b[i]).length / a.length;

describe.each(['euclidean', 'cosine', 'l1'] as const)('%s', (distance) => {
  it('finds the clusters of rows, of a stream that moves them too', async () => {
    const options = { backend, distance, initMode: { prototypes } };
    const model = new FastKMeansClusterer({ ...options, index: hnswIndex, useIndex: true });
    for (let step = 0; step < 3; step++) {
      const whole = await FastKMeansClusterer.load(await model.save(), { backend, useIndex: false });
      expect(share((await model.predict(X)).data, (await whole.predict(X)).data)).toBeGreaterThan(0.99);
      await model.fitBatch(X);
    }
  });
});

it('finds the classes of prototypes that own one, and what others say', async () => {
  const classifier = { backend, initMode: { prototypes, owners }, softType: 'scaled', topK: 3 } as const;
  const regressor = { backend, initMode: { prototypes, targets }, softType: 'scaled', topK: 3 } as const;
  const index: typeof hnswIndex = (options) => hnswIndex({ ...options, ef: 100 });
  const [found, wanted] = await Promise.all(
    [{ index, useIndex: true }, {}].map(async (search) => [
      (await new FastKMeansClassifier({ ...classifier, ...search }).predict(X)).data,
      (await new FastKMeansRegressor({ ...regressor, ...search }).predict(X)).data,
    ]),
  );
  expect(share(found?.[0] as ArrayLike<number>, wanted?.[0] as ArrayLike<number>)).toBeGreaterThan(0.99);
  const [a, b] = [found?.[1], wanted?.[1]] as Float32Array[];
  const near = a?.filter((value, i) => Math.abs(value - (b?.[i] as number)) < 2e-6) as Float32Array;
  expect(near.length / X.shape[0]).toBeGreaterThan(0.99);
});
