// A process that trains over a file with checkpoints, for the test that kills it: argv is rows, checkpoint, model, gradients.

import { FastKMeansClassifier, jsBackend } from '@fkm/core';
import { parquet } from './index.ts';

const [rows, path, model, gradients] = process.argv.slice(2) as [string, string, string, string];
const source = await parquet(rows, {
  target: 'label',
  batchSize: 50,
  shuffle: { rows: 200, randomState: 1 },
});
const classifier = new FastKMeansClassifier({
  backend: jsBackend(),
  nPrototypes: 12,
  heads: 2,
  metric: 'none',
});
await classifier.fitStream(source, {
  gradientStep: gradients === 'true',
  startRows: 400,
  maxIters: 3,
  checkpoint: { path, everyBatches: 2 },
  onProgress: ({ batches }) => process.stdout.write(`${batches}\n`),
});
// Written atomically, since a kill may come now as well.
await classifier.saveFile(model);
