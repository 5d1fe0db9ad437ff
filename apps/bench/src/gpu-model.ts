// Models on a GPU: a gradient step of a large grid, and a whole training, next to the CPU of the same machine.

import { FastKMeansClassifier } from '@fkm/core';
import { counted, openGpuBackend } from './gpu-backends.ts';
import { type Result, rounded } from './report.ts';
import type { Rows } from './rows.ts';
import { loadParts } from './sets.ts';
import { stepModel } from './step-model.ts';

/** Divides the sizes, to try the script without a GPU. */
const shrink = Number(process.env.FKM_SHRINK ?? 1);

const step = { batch: 8192 / shrink, columns: 128, prototypes: 4096, batches: 4 } as const;

/** Milliseconds of a gradient step, including optimiser and dropout, and its transfers. */
export async function gradientStep(name: string, report: (result: Result) => void): Promise<void> {
  const opened = await openGpuBackend(name);
  const { backend, transfers } = counted(opened);
  const { batch, columns, prototypes, batches } = step;
  const epochs = stepModel(backend, step, batches);
  await epochs(1);
  const one = { ...transfers, milliseconds: await epochs(1) };
  const before = { ...transfers };
  // A call of finetune has overhead, so the time of steps is what further epochs add.
  const rounds = name === 'onnx-cpu' ? 1 : 25;
  const milliseconds = Math.min(await epochs(1 + rounds), await epochs(1 + rounds)) - one.milliseconds;
  const steps = rounds * batches;
  const perStep = (key: 'up' | 'down' | 'bytes'): number => {
    const short = before[key] - one[key];
    return rounded(((transfers[key] - before[key]) / 2 - short) / steps);
  };
  report({
    what: `gradient step on ${opened.name}`,
    rows: batch,
    columns,
    prototypes,
    value: rounded(milliseconds / steps),
    unit: 'ms',
    up: perStep('up'),
    down: perStep('down'),
    megabytes: rounded(perStep('bytes') / 1e6),
  });
  await opened.dispose();
}

/** Seconds of fit and finetune on covertype with default options, and held-out accuracy. */
export async function covertype(
  name: string,
  folder: string,
  report: (result: Result) => void,
): Promise<void> {
  const backend = await openGpuBackend(name);
  const { train, test } = await loadParts('covertype_93k', folder, 0);
  const epochs = Number(process.env.FKM_EPOCHS ?? 10);
  const model = new FastKMeansClassifier({ backend, randomState: 0 });
  const labels = ({ y }: { readonly y: Rows }): number[] => Array.from(y.data);
  const begun = performance.now();
  await model.fit(train.X, labels(train));
  const fitted = performance.now();
  await model.finetune(train.X, labels(train), { epochs });
  const done = performance.now();
  const score = await model.score(test.X, labels(test));
  const end = performance.now();
  report({
    what: `covertype on ${backend.name}: fit, ${epochs} epochs of finetune, score`,
    value: rounded((done - begun) / 1e3),
    unit: 's',
    fit: rounded((fitted - begun) / 1e3),
    finetune: rounded((done - fitted) / 1e3),
    score: rounded((end - done) / 1e3),
    accuracy: rounded(score),
  });
  await backend.dispose();
}
