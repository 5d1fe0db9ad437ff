// Accuracy on a synthetic set for each task: a change that costs accuracy shows here first, on every backend.

import type { Backend } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { blobs, checkerboard, friedman, regions } from './data.js';
import type { Options } from './model.js';
import { type Estimator, estimators } from './table.js';

interface Task {
  readonly key: string;
  readonly estimator: Estimator;
  readonly options: Options;
  readonly epochs: number;
  /** Training rows; the test rows are of the same kind. */
  readonly train: { readonly X: number[][]; readonly y?: readonly unknown[] };
  readonly test: { readonly X: number[][]; readonly y?: readonly unknown[] };
  /** Measured scores after phase 1 and after phase 2. */
  readonly scores: readonly [number, number];
  /** Allowed loss of score: other seeds, and other rounding in draws. */
  readonly margins: readonly [number, number];
}

const size = { nPrototypes: 64, heads: 4 };
const quick = { ...size, metric: 'slopes', batchSize: 64 } as const;

const tasks: readonly Task[] = [
  {
    key: 'regressor: Friedman #1',
    estimator: estimators.regressor,
    options: size,
    epochs: 20,
    train: friedman(500, 'friedman train'),
    test: friedman(500, 'friedman test'),
    scores: [0.701, 0.9],
    margins: [0.02, 0.02],
  },
  {
    key: 'classifier: a checkerboard of three classes',
    estimator: estimators.classifier,
    options: quick,
    epochs: 10,
    train: checkerboard(400, 'checkerboard train'),
    test: checkerboard(400, 'checkerboard test'),
    scores: [0.825, 0.952],
    margins: [0.05, 0.02],
  },
  {
    key: 'multiLabel: three regions that overlap',
    estimator: estimators.multiLabel,
    options: quick,
    epochs: 10,
    train: regions(400, 'regions train'),
    test: regions(400, 'regions test'),
    scores: [0.83, 0.912],
    margins: [0.13, 0.03],
  },
  {
    key: 'clusterer: six blobs',
    estimator: estimators.clusterer,
    options: { kInit: 6 },
    epochs: 5,
    train: blobs(300, 'blobs train'),
    test: blobs(300, 'blobs test'),
    scores: [-8.91, -9.07],
    margins: [0.2, 0.2],
  },
];

async function check(backend: Backend, task: Task): Promise<void> {
  const { train, test } = task;
  const model = task.estimator.make({ backend, ...task.options });
  await model.fit(train.X, train.y, { maxIters: 3 });
  const before = await model.score(test.X, test.y);
  await model.finetune(train.X, train.y, { epochs: task.epochs, evalFraction: 0 });
  const after = await model.score(test.X, test.y);
  expect(before).toBeGreaterThan(task.scores[0] - task.margins[0]);
  expect(after).toBeGreaterThan(task.scores[1] - task.margins[1]);
}

export const accuracyChecks = (): Check[] =>
  tasks.map((task) => ({ key: task.key, thorough: true, run: (backend) => check(backend, task) }));
