// A regressor of targets far from 0 as a file: its answers are double, and an import goes on where the export left.

import { FastKMeansRegressor } from '@fkm/core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { importOnnx } from './import-onnx.js';
import { backend, targetsOf, trainingRows, judgedRows as X } from './testing.js';

const y = targetsOf.numbers(trainingRows);

it.each([
  ['one column', (t: number) => [t + 1e8]],
  ['one of two', (t: number) => [t + 1e8, t]],
] as const)('answers in double as predict does: %s', async (_, targets) => {
  const model = new FastKMeansRegressor({ backend, nPrototypes: 12, heads: 2 });
  const far = y.map((t) => [...targets(t)]);
  await model.fit(trainingRows as number[][], far);
  const bytes = exportOnnx(model);
  const session = await InferenceSession.create(bytes);
  const rows = Float32Array.from((X as number[][]).flat());
  const width = (X[0] as readonly number[]).length;
  const results = await session.run({ X: new Tensor('float32', rows, [X.length, width]) });
  const variable = results.variable as Tensor;
  expect(variable.type).toBe('float64');
  expect(variable.dims).toEqual([X.length, targets(0).length]);
  const { data } = await model.predict(X as number[][]);
  (variable.data as Float64Array).forEach((value, i) => {
    expect(Math.abs(value - (data[i] as number))).toBeLessThan(1e-5);
  });
  const again = (await importOnnx(bytes, { backend })) as FastKMeansRegressor;
  expect((await again.predict(X as number[][])).data).toEqual(data);
  expect(await again.score(trainingRows as number[][], far)).toBeGreaterThan(0.5);
});
