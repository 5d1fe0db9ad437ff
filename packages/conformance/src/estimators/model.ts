// The calls of an estimator that the checks use, for any kind of targets.

import type {
  EstimatorOptions,
  FinetuneOptions,
  FitBatchOptions,
  FitOptions,
  FitResult,
  Grid,
  LearningRateCurve,
  Matrix,
  PredictOptions,
  Progress,
  RowOptions,
  SaveOptions,
  Vector,
} from '@fkm/core';
import type { NdArray } from '@fkm/core/graph';

/** An estimator; y has the type that it takes, or is undefined for clusters. */
export interface Model {
  readonly grid: Grid;
  fitBatch(X: Matrix, y: unknown, options?: FitBatchOptions): Promise<number>;
  fit(X: Matrix, y: unknown, options?: FitOptions<never>): Promise<FitResult>;
  finetune(X: Matrix, y: unknown, options?: FinetuneOptions<never>): Promise<readonly Progress[]>;
  findLearningRate(X: Matrix, y: unknown, options?: RowOptions): Promise<LearningRateCurve>;
  lossAndGradients(
    X: Matrix,
    y: unknown,
    options?: RowOptions,
  ): Promise<{ loss: number; gradients: Record<string, NdArray> }>;
  predict(
    X: Matrix,
    options?: PredictOptions,
  ): Promise<{ readonly data: ArrayLike<number | string>; readonly shape: readonly number[] }>;
  transform(X: Matrix, options?: PredictOptions): Promise<NdArray>;
  score(X: Matrix, y: unknown, options?: RowOptions): Promise<number>;
  freezePrototypes(mask?: readonly boolean[] | Vector): void;
  save(options?: SaveOptions): Promise<Uint8Array>;
}

/** Options of any estimator except the backend. */
export type Options = Partial<Omit<EstimatorOptions, 'backend'>> & Readonly<Record<string, unknown>>;
