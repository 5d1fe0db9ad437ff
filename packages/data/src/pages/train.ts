// Sources in a browser: a fetched stream trains a model as it arrives, without anything of Node.

import { FastKMeansClusterer, FastKMeansRegressor, isFkmError, jsBackend, type Source } from '@fkm/core';
import { arrow, csv, fromIterable, parquet, type TableSource } from '../index.js';

const kindOf = (error: unknown): unknown => (isFkmError(error) ? error.kind : String(error));

/** Trains, scores and predicts over a source, whose encoding is saved and loaded. */
async function taught(source: TableSource): Promise<object> {
  const backend = jsBackend();
  const model = new FastKMeansRegressor({ backend, nPrototypes: 24, heads: 1, metric: 'none' });
  const { rows } = await model.fitStream(source, { maxIters: 2 });
  const again = await FastKMeansRegressor.load(await model.save(), { backend });
  let answers = 0;
  for await (const { data } of again.predict(source)) answers += data.length;
  return {
    columns: source.columns,
    rows,
    answers,
    good: (await again.score(source)) > 0.8,
    encoded: JSON.stringify(again.encoding) === JSON.stringify(source.encoding),
  };
}

async function clusters(source: Source): Promise<object> {
  const model = new FastKMeansClusterer({ backend: jsBackend(), kInit: 4 });
  const { converged } = await model.fit(source, { algorithm: 'lloyd' });
  return { converged, inertia: Number.isFinite(model.inertia) };
}

const options = { target: 'price', batchSize: 64 } as const;

export async function run(): Promise<unknown> {
  // A stream is read only once, so its categories have to be known.
  const { encoding } = await csv(new URL('/rows.csv', location.href), options);
  const stream = (await fetch('/rows.csv')).body as ReadableStream<Uint8Array>;
  const once = await csv(stream, { ...options, encoding });
  return {
    csv: await taught(await csv(new URL('/rows.csv', location.href), options)),
    arrow: await taught(await arrow(new URL('/rows.arrow', location.href), options)),
    blob: await taught(await csv(await (await fetch('/rows.csv')).blob(), options)),
    stream: await readAll(once),
    again: await readAll(once).catch(kindOf),
    parquet: await taught(await parquet(await (await fetch('/rows.parquet')).blob(), options)),
    iterable: await clusters(
      await fromIterable(Array.from({ length: 200 }, (_, i) => ({ a: i % 4, b: (i * i) % 7 }))),
    ),
    missing: await csv(new URL('/nothing.csv', location.href)).catch(kindOf),
    files: await csv('rows.csv').catch(kindOf),
    noArrow: await arrow(new URL('/rows.csv', location.href)).catch(kindOf),
  };
}

async function readAll(source: TableSource): Promise<number> {
  let rows = 0;
  for await (const { X } of source) rows += X.shape[0];
  return rows;
}
