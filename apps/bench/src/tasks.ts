// How a task is learned and judged: one row a task, with its estimator at its defaults and its metric.

import { type Backend, FastKMeansRegressor, type Progress, r2Score } from '@fkm/core';
import { nearestRows } from './nearest-neighbours.ts';
import { type Labelled, type Rows, standardise } from './rows.ts';

/** A trained model, as far as the table needs it. */
export interface Trained {
  readonly score: number;
  readonly prototypes: number;
  readonly bytes: number;
  readonly fitSeconds: number;
  readonly finetuneSeconds: number;
}

interface TaskRow {
  readonly metric: string;
  /** Neighbours that the reference asks. */
  readonly neighbours: number;
  /** `fit`, then `finetune`, with no options but the backend and the seed. */
  train(data: { train: Labelled; test: Labelled }, run: TrainRun): Promise<Trained>;
  /** The metric of the neighbours' say, [queries · k] training rows. */
  judgeNeighbours(found: Uint32Array, k: number, train: Labelled, test: Labelled): number;
}

export interface TrainRun {
  readonly backend: Backend;
  readonly seed: number;
  readonly onProgress?: (progress: Progress) => void;
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

export type TaskName = 'regression';

const tasks: Readonly<Record<TaskName, TaskRow>> = {
  regression: {
    metric: 'r2',
    neighbours: 5,
    async train({ train, test }, { backend, seed, onProgress }) {
      const model = new FastKMeansRegressor({ backend, randomState: seed });
      const control = onProgress ? { onProgress } : {};
      const fitSeconds = await seconds(() => model.fit(train.X, train.y, control));
      const finetuneSeconds = await seconds(() => model.finetune(train.X, train.y, control));
      return {
        score: await model.score(test.X, test.y),
        prototypes: model.grid.prototypes.shape[0] as number,
        bytes: (await model.save()).length,
        fitSeconds,
        finetuneSeconds,
      };
    },
    judgeNeighbours(found, k, train, test) {
      const { data: targets, shape } = train.y;
      const columns = shape[1];
      const answers = new Float32Array((found.length / k) * columns);
      found.forEach((row, i) => {
        for (let t = 0; t < columns; t++) {
          const at = Math.floor(i / k) * columns + t;
          answers[at] = (answers[at] as number) + (targets[row * columns + t] as number) / k;
        }
      });
      return r2Score(test.y.data, answers, columns);
    },
  },
};

export const taskOf = (name: TaskName): TaskRow => tasks[name];

/** The metric of k nearest neighbours on all standardised training rows. */
export function neighbourScore(task: TaskRow, { train, test }: { train: Labelled; test: Labelled }): number {
  const [rows, queries] = standardise(train.X, test.X) as [Rows, Rows];
  return task.judgeNeighbours(nearestRows(rows, queries, task.neighbours), task.neighbours, train, test);
}
