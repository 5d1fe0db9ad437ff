// Clusters of any common factor as files: labels and distances are those of the model, in the units of the rows.

import { FastKMeansClusterer } from '@fkm/core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { importOnnx } from './import-onnx.js';
import { backend } from './testing.js';

it.each([
  ['euclidean', 1e-24],
  ['euclidean', 1e20],
  ['l1', 1e-30],
  ['l1', 1e30],
  ['cosine', 1e-30],
  ['cosine', 2e19],
] as const)('%s, times %f', async (distance, factor) => {
  const X = Array.from({ length: 30 }, (_, i) => [factor * (i % 3), factor * (2 - (i % 3))]);
  const model = new FastKMeansClusterer({ backend, distance, kInit: 3 });
  await model.fit(X);
  const bytes = exportOnnx(model);
  const session = await InferenceSession.create(bytes);
  const results = await session.run({ X: new Tensor('float32', Float32Array.from(X.flat()), [30, 2]) });
  const label = results.label as Tensor;
  expect(Array.from(label.data as BigInt64Array, Number)).toEqual(Array.from(model.labels));
  expect(new Set(model.labels).size).toBe(3);
  const scores = (results.scores as Tensor).data as Float32Array;
  const prototypes = model.grid.prototypes.data as Float32Array;
  for (let i = 0; i < 30 && distance !== 'cosine'; i++) {
    for (let k = 0; k < 3; k++) {
      const gaps = [0, 1].map((j) => Math.abs((X[i]?.[j] as number) - (prototypes[2 * k + j] as number)));
      const want = distance === 'l1' ? (gaps[0] as number) + (gaps[1] as number) : Math.hypot(...gaps);
      expect(Math.abs((scores[3 * i + k] as number) - want) / factor).toBeLessThan(1e-3);
    }
  }
  const again = (await importOnnx(bytes, { backend })) as FastKMeansClusterer;
  expect((await again.predict(X)).data).toEqual(model.labels);
});
