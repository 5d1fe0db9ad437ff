// Models of tables with texts: the file says how their columns became X, and a reader needs no more than the file.

import { FastKMeansRegressor } from '@fkm/core';
import { csv, encodeRows } from '@fkm/data';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { importOnnx } from './import-onnx.js';
import { readOnnx } from './read-onnx.js';
import { backend, expectClose, opened } from './testing.js';

const colours = ['blue', 'grün, "hell"', 'red'];
const table = Array.from({ length: 90 }, (_, i) => ({
  size: (i % 11) / 4,
  colour: colours[i % 3] as string,
  grade: ['good', 'poor'][i % 2] as string,
  price: (i % 11) / 4 + (i % 3) - (i % 2),
}));
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const file = new Blob([
  ['size,colour,grade,price', ...table.map((r) => [r.size, quoted(r.colour), r.grade, r.price].join())].join(
    '\n',
  ),
]);

const textsOf = (bytes: Uint8Array): ReadonlyMap<string, string> =>
  new Map(readOnnx(bytes).metadataProps.map(({ key, value }) => [key, value]));

describe.each(['oneHot', 'ordinal'] as const)('texts that are %s', (text) => {
  const fitted = async (): Promise<FastKMeansRegressor> => {
    const model = new FastKMeansRegressor({ backend, nPrototypes: 12, heads: 1, metric: 'none' });
    await model.fit(await csv(file, { target: 'price', text }));
    return model;
  };

  it('are encoded by what the file says, whatever else it leaves out', async () => {
    const model = await fitted();
    for (const options of [{}, { training: false }]) {
      const bytes = exportOnnx(model, options);
      const encoding = JSON.parse(textsOf(bytes).get('fkm.encoding') ?? '');
      expect(encoding).toEqual(model.encoding);
      const rows = table.slice(0, 7).reverse();
      const { X } = encodeRows(encoding, rows);
      const { run, session } = await opened(bytes);
      const D = X.shape[1];
      const answers = await run(rows.map((_, i) => [...X.data.subarray(i * D, (i + 1) * D)]));
      const { data, shape } = await model.predict(X);
      expectClose(answers.variable, [...data], [shape[0] as number, 1]);
      await session.release();
    }
  });

  it('come back with the model', async () => {
    const model = await fitted();
    const again = await importOnnx(exportOnnx(model), { backend });
    expect(again.encoding).toEqual(model.encoding);
    expect(await again.save()).toEqual(await model.save({ optimiser: false }));
    expect(exportOnnx(again)).toEqual(exportOnnx(model));
  });
});

it('there is none of a model that was fitted to arrays', async () => {
  const model = new FastKMeansRegressor({ backend, nPrototypes: 4, heads: 1, metric: 'none' });
  await model.fit(
    table.map(({ size }) => [size]),
    table.map(({ price }) => price),
  );
  expect(textsOf(exportOnnx(model)).has('fkm.encoding')).toBe(false);
});
