export type { Backend, BackendFlags, Executable, Value } from './backend.js';
export type { DenseMatrix, Matrix, Vector } from './data/matrix.js';
export type { Csr } from './data/sparse.js';
export type { DType, NdArray, Shape, TypedArray } from './dtype.js';
export * from './errors.js';
export type {
  EvalSet,
  FinetuneOptions,
  FitBatchOptions,
  FitOptions,
  PredictOptions,
  RowOptions,
  SaveOptions,
} from './estimators/calls.js';
export type { Grid } from './estimators/grid.js';
export type { InitialGrid } from './estimators/initial-grid.js';
export type { RegressorOptions } from './estimators/options.js';
export { FastKMeansRegressor, type RegressionTargets } from './estimators/regressor.js';
export { type RouteOptions, route, type SimilarityOptions, similarity } from './method/arrays.js';
export type { SoftType } from './method/routing.js';
export type { Distance } from './method/similarity.js';
export { accuracyScore, type F1Options, f1Score, r2Score } from './metrics.js';
export { jsBackend } from './reference/js-backend.js';
export type { Scaling } from './scaling/scaler.js';
export { QuantileScaler, type ScalerCallOptions, StandardScaler } from './scaling/scalers.js';
export type { TargetAssignment } from './training/assign.js';
export type { LearningRateCurve } from './training/finder.js';
export type { FitResult } from './training/fit.js';
export type { Progress } from './training/progress.js';
export type { Schedule } from './training/schedule.js';
