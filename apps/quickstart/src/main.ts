// Learns the price of diamonds in both phases, and compares the result with 5 nearest neighbours. --rows and --epochs shorten the
// run; --out sets the folder of its files.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { onnxBackend } from '@fkm/backend-onnx';
import { FastKMeansRegressor, r2Score } from '@fkm/core';
import { features, loadDiamonds, split } from './diamonds.ts';
import { untilInterrupted } from './interrupt.ts';
import { NearestNeighbours } from './neighbours.ts';
import { lossPlot, pricePlot } from './plot.ts';
import { withProgress } from './progress.ts';
import { comparison, firstPredictions, integer, timed, writeFiles } from './report.ts';

const { values } = parseArgs({
  options: { rows: { type: 'string' }, epochs: { type: 'string' }, out: { type: 'string' } },
});
const [rows, epochs] = [values.rows, values.epochs].map((text) => (text ? Number(text) : undefined));
const out = values.out ?? fileURLToPath(new URL('../out', import.meta.url));

await untilInterrupted(async (signal) => {
  const { train, test } = split(loadDiamonds(), { testShare: 0.2, seed: 42, rows });
  console.log(`The price of diamonds from ${features.join(', ')}.`);
  console.log(`Training on ${integer(train.y.length)} rows, ${integer(test.y.length)} held out.\n`);

  // The model: raw features, and no option but the backend and a seed.
  const backend = await onnxBackend();
  const model = new FastKMeansRegressor({ backend, randomState: 42 });
  const training = await timed(() =>
    withProgress(async (onProgress) => {
      await model.fit(train.X, train.y, { onProgress, signal });
      return model.finetune(train.X, train.y, { epochs, onProgress, signal });
    }),
  );
  console.log(`Trained in ${training.seconds.toFixed(0)} s.\n`);

  const ours = await timed(() => model.predict(test.X), { atLeast: 1 });
  const predicted = ours.result.data;
  const bytes = await model.save({ optimiser: false });

  // The baseline, on the same rows and the same backend.
  const neighbours = await NearestNeighbours.fit(backend, train, 5);
  const theirs = await timed(() => neighbours.predict(test.X, signal), { atLeast: 1 });

  const score = r2Score(test.y, predicted);
  console.log(
    comparison(test.y, [
      {
        name: 'FastKMeansRegressor',
        predicted,
        score,
        keeps: `${integer(model.grid.prototypes.shape[0] as number)} prototypes`,
        bytes: bytes.length,
        seconds: ours.seconds,
      },
      {
        name: '5 nearest neighbours',
        predicted: theirs.result,
        score: r2Score(test.y, theirs.result),
        keeps: `${integer(train.y.length)} rows`,
        bytes: train.X.data.byteLength + train.y.byteLength,
        seconds: theirs.seconds,
      },
    ]),
  );
  console.log(`\n${firstPredictions(test.y, predicted, 5)}\n`);
  const files = writeFiles(out, {
    'prices.svg': pricePlot(test.y, predicted, score),
    'loss.svg': lossPlot(training.result),
    'diamonds.safetensors': bytes,
  });
  console.log(`Written:\n${files.join('\n')}`);
  await backend.dispose();
});
