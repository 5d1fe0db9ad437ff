// How each task is trained and scored: its estimator, its metric and its neighbours, one row a task.

import {
  accuracyScore,
  type Backend,
  FastKMeansClassifier,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  f1Score,
  type Progress,
  r2Score,
} from '@fkm/core';
import { Failure } from './failure.ts';
import { nearestRows } from './nearest-neighbours.ts';
import { type Labelled, type Parts, type Rows, standardise } from './rows.ts';
import { half, majority, mean, type Vote } from './votes.ts';

export interface TrainRun {
  readonly backend: Backend;
  readonly seed: number;
  /** Options besides backend and seed; absent for defaults. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly onProgress?: (progress: Progress) => void;
}

/** Predictions: numbers, class codes, or 0/1 labels. */
type Answers = ArrayLike<number | string>;

/** An estimator that takes the rows of a bench. */
export interface Learner {
  fit(rows: Labelled, options?: object): Promise<unknown>;
  finetune(rows: Labelled, options?: object): Promise<unknown>;
  predict(rows: Labelled): Promise<Answers>;
  /** Row-major [N, C]; classifiers only. */
  probabilities(rows: Labelled): Promise<Float32Array>;
  readonly model: Pick<Estimator<unknown>, 'save' | 'grid'>;
}

/** A trained model, as the table needs it. */
export interface Trained {
  answer(rows: Labelled): Promise<Answers>;
  readonly prototypes: number;
  readonly bytes: number;
  /** Seconds of fit and finetune together. */
  readonly seconds: number;
}

interface TaskRow {
  readonly metric: string;
  create(run: TrainRun): Learner;
  score(truth: Rows, answers: Answers): number;
  /** Number of neighbours in the baseline, and how their targets are combined. */
  readonly neighbours: number;
  readonly vote: Vote;
}

export type TaskName = 'regression' | 'classes' | 'labels';

const tasks: Readonly<Record<TaskName, TaskRow>> = {
  regression: {
    metric: 'r2',
    create: (run) => learner(new FastKMeansRegressor(optionsOf(run)), ({ y }) => y),
    score: ({ data, shape }, answers) => r2Score(data, answers as ArrayLike<number>, shape[1]),
    neighbours: 5,
    vote: mean,
  },
  classes: {
    metric: 'accuracy',
    create: (run) => learner(new FastKMeansClassifier(optionsOf(run)), ({ y }) => y.data),
    score: ({ data }, answers) => accuracyScore(data, answers),
    neighbours: 5,
    vote: majority,
  },
  labels: {
    metric: 'macro-f1',
    create: (run) => learner(new FastMultiLabelKMeansClassifier(optionsOf(run)), ({ y }) => y),
    score: ({ data, shape }, answers) => f1Score(data, answers as ArrayLike<number>, shape[1]),
    neighbours: 10,
    vote: half,
  },
};

export const taskOf = (name: TaskName): TaskRow => tasks[name];

const optionsOf = ({ backend, seed, options }: TrainRun): { backend: Backend; randomState: number } => ({
  backend,
  randomState: seed,
  ...options,
});

/** The options that accompany rows. */
const beside = ({ mask }: Labelled): { featureMask?: Rows } => (mask ? { featureMask: mask } : {});

/** The common part of the estimators that the bench calls. */
interface Estimator<Y> {
  fit(X: Rows, y: Y, options: object): Promise<unknown>;
  finetune(X: Rows, y: Y, options: object): Promise<unknown>;
  predict(X: Rows, options: object): Promise<{ readonly data: Answers }>;
  predictProba?(X: Rows, options: object): Promise<{ readonly data: Float32Array }>;
  save(): Promise<Uint8Array>;
  readonly grid: { readonly prototypes: { readonly shape: readonly number[] } };
}

function learner<Y>(model: Estimator<Y>, targets: (rows: Labelled) => Y): Learner {
  return {
    fit: (rows, options) => model.fit(rows.X, targets(rows), { ...beside(rows), ...options }),
    finetune: (rows, options) => model.finetune(rows.X, targets(rows), { ...beside(rows), ...options }),
    predict: async (rows) => (await model.predict(rows.X, beside(rows))).data,
    probabilities: async (rows) => {
      if (!model.predictProba) throw new Failure('numbers have no probabilities.');
      return (await model.predictProba(rows.X, beside(rows))).data;
    },
    model,
  };
}

/** `fit`, then `finetune`. */
export async function train(name: TaskName, rows: Labelled, run: TrainRun): Promise<Trained> {
  const learned = tasks[name].create(run);
  const control = run.onProgress ? { onProgress: run.onProgress } : {};
  const start = performance.now();
  await learned.fit(rows, control);
  await learned.finetune(rows, control);
  const seconds = (performance.now() - start) / 1000;
  return {
    answer: learned.predict,
    prototypes: learned.model.grid.prototypes.shape[0] as number,
    bytes: (await learned.model.save()).length,
    seconds,
  };
}

/** The score of k nearest neighbours among all training rows, standardised by these. */
export function neighbourScore({ neighbours, vote, score }: TaskRow, parts: Parts): number {
  const { rows, queries } = standardise(parts);
  return score(parts.test.y, vote(nearestRows(rows, queries, neighbours), neighbours, parts.train.y));
}
