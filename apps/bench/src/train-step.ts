// `bench speed --case train-step`: whole gradient steps of finetune, including the optimiser, against eager PyTorch with Adam.

import type { Backend } from '@fkm/core';
import type { BackendName } from './backends.ts';
import { Clock, openTimed } from './clock.ts';
import type { Side } from './interleave.ts';
import { Python } from './python.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import { prototypeDropout, type StepShape, stepModel } from './step-model.ts';
import { compare, measure } from './versus.ts';

/** One head, one target, 'gaussian' routing, diagonal metric. */
const shapes: readonly StepShape[] = [
  { batch: 512, columns: 8, prototypes: 400 },
  { batch: 512, columns: 54, prototypes: 400 },
  { batch: 512, columns: 64, prototypes: 1024 },
];

/** Milliseconds of a round: long enough to hide the overhead of a finetune call. */
const roundMilliseconds = 200;
/** Number of batches in the epochs of a round. */
const mostBatches = 20;

/** Batches and epochs of a round, so that slow backends do not take minutes. */
async function plan(backend: Backend, shape: StepShape): Promise<{ batches: number; epochs: number }> {
  const trial = stepModel(backend, shape, 2);
  await trial(1);
  const perStep = (await trial(1)) / 2;
  const steps = Math.max(2, Math.ceil(roundMilliseconds / perStep));
  const batches = Math.min(mostBatches, steps);
  return { batches, epochs: Math.ceil(steps / batches) };
}

export async function benchTrainStep(backendName: BackendName, rounds: number): Promise<void> {
  const clock = new Clock();
  const backend = await openTimed(backendName, clock);
  const pythons = await Python.start('train_step.py', 'torch');
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  try {
    for (const shape of shapes) {
      const { batches, epochs } = await plan(backend, shape);
      const steps = batches * epochs;
      const run = stepModel(backend, shape, batches);
      const outside: number[] = [];
      const ours: Side = async () => {
        clock.milliseconds = 0;
        const total = await run(epochs);
        outside.push(1 - clock.milliseconds / total);
        return total;
      };
      for (const python of pythons) await python.ask({ ...shape, batches });
      const opponents = pythons.map((python) => ({
        name: `${python.name} eager, Adam`,
        side: async () =>
          (await python.ask<{ milliseconds: number }>({ epochs, dropout: prototypeDropout })).milliseconds,
      }));
      const versus = await measure(ours, opponents, rounds);
      // Without the warm-up round; the median of shares counts.
      const shares = outside.slice(1).sort((a, b) => a - b);
      const share = shares[shares.length >> 1] as number;
      const labels = { case: 'train-step', backend: backendName, ...shape };
      results.push({
        ...labels,
        metric: 'share of time outside the runtime',
        value: rounded(share),
        least: rounded(shares[0] as number),
      });
      results.push(...compare(versus, labels, steps));
      const size = [shape.batch, shape.columns, shape.prototypes];
      const per = (milliseconds: number): string => (milliseconds / steps).toFixed(3);
      table.push([
        ...size,
        backend.name,
        per(versus.ours.min),
        per(versus.ours.median),
        (100 * share).toFixed(1),
        '',
      ]);
      for (const { name, times } of versus.theirs) {
        table.push([
          ...size,
          name,
          per(times.min),
          per(times.median),
          '',
          (times.median / versus.ours.median).toFixed(2),
        ]);
      }
    }
  } finally {
    for (const python of pythons) python.close();
    await backend.dispose();
  }
  console.log(`one step of finetune, optimiser included, ${rounds} rounds of some ${roundMilliseconds} ms`);
  if (pythons.length === 0)
    console.log('PyTorch is not installed (python3-torch, or pip): only our side was measured.');
  const head = ['B', 'D', 'K', 'side', 'min ms', 'median ms', 'outside runtime %', 'ratio'];
  console.log(`${formatTable(head, table)}\n`);
  printResults(results);
}
