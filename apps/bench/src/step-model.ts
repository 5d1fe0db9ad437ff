// A model for timing gradient steps: one head, one target, 'gaussian' routing, diagonal metric.

import { type Backend, FastKMeansRegressor } from '@fkm/core';
import { seeded, uniformArray } from './random.ts';
import type { Rows } from './rows.ts';

export interface StepShape {
  readonly batch: number;
  readonly columns: number;
  readonly prototypes: number;
}

/** Share of the prototypes that a step leaves out. */
export const prototypeDropout = 0.05;

/** Random rows for so many batches and a model on them; returns a function that times epochs in milliseconds. */
export function stepModel(backend: Backend, { batch, columns, prototypes }: StepShape, batches: number) {
  const uniform = seeded(7);
  const drawn = (rows: number, width: number): Rows => ({
    data: uniformArray(rows * width, uniform),
    shape: [rows, width],
  });
  const model = new FastKMeansRegressor({
    backend,
    initMode: { prototypes: drawn(prototypes, columns), targets: drawn(prototypes, 1) },
    batchSize: batch,
    learningRate: 1e-3,
    prototypeDropout,
  });
  const [X, y] = [drawn(batches * batch, columns), drawn(batches * batch, 1)];
  return async (epochs: number): Promise<number> => {
    const start = performance.now();
    await model.finetune(X, y, { epochs, evalFraction: 0 });
    return performance.now() - start;
  };
}
