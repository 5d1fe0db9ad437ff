export type { Csr, DenseMatrix, Matrix, Vector } from './data/matrix.js';
export type { Cell, Columns, Records, Tabular } from './data/table.js';
export type { DType, NdArray, Shape, TypedArray } from './dtype.js';
export {
  BackendError,
  DataError,
  type ErrorDetails,
  type ErrorKind,
  FkmError,
  FormatError,
  GraphError,
  isFkmError,
  OptionError,
  ShapeError,
  StateError,
} from './errors.js';
export { type Batched, type BatchedOptions, batched } from './estimators/batched.js';
export type {
  EvalSet,
  FinetuneOptions,
  FitBatchOptions,
  FitOptions,
  PredictOptions,
  RowOptions,
  SaveOptions,
} from './estimators/calls.js';
export { type ClassLabels, FastKMeansClassifier, type PredictedLabels } from './estimators/classifier.js';
export {
  type ClustererFitOptions,
  type ClustererSourceFitOptions,
  FastKMeansClusterer,
  type NoTargets,
} from './estimators/clusterer.js';
export type { Estimator } from './estimators/estimator.js';
export type { Grid } from './estimators/grid.js';
export {
  FastMultiLabelKMeansClassifier,
  type LabelSets,
  type StrategyOptions,
  type ThresholdOptions,
} from './estimators/multi-label.js';
export type { RegressionTargets } from './estimators/numeric-model.js';
export { originalDefaults } from './estimators/original.js';
export { FastKMeansQuantileRegressor } from './estimators/quantile-regressor.js';
export { FastKMeansRegressor, type RegressionAnswers } from './estimators/regressor.js';
export { QuantileScaler, type ScalerCallOptions, StandardScaler } from './estimators/scalers.js';
export type {
  SourceFinetuneOptions,
  SourceFitOptions,
  SourceReadOptions,
  SourceScoreOptions,
} from './estimators/source-model.js';
export type { LearningRateCurve } from './fitting/finder.js';
export type { FitResult } from './fitting/passes.js';
export type { Schedule } from './fitting/schedule.js';
export { type RouteOptions, route, type SimilarityOptions, similarity } from './formulas/arrays.js';
export type { Distance } from './formulas/distances.js';
export { accuracyScore, type F1Options, f1Score, r2Score } from './formulas/metrics.js';
export type { SoftType } from './formulas/routing.js';
export type { Backend, BackendFlags, Executable, Value } from './graph/backend.js';
export type { Strategy } from './heads/strategies.js';
export { type JsBackendOptions, jsBackend } from './reference/js-backend.js';
export { ResultArray, ResultLabels } from './result.js';
export type { Scaling } from './scaling/scaler.js';
export type { AnyEncoding, Encoding, FeatureEncoding } from './state/encoding.js';
export type {
  ClassifierOptions,
  ClassifyingOptions,
  ClustererOptions,
  ColumnSpec,
  ColumnSpecs,
  EstimatorOptions,
  InitialGrid,
  LoadOptions,
  MultiLabelOptions,
  QuantileRegressorOptions,
  RegressorOptions,
  SupervisedOptions,
  TargetAssignment,
} from './state/options.js';
export type { Neighbours, Points, PrototypeIndex, PrototypeIndexFactory } from './state/prototype-index.js';
export type {
  AnySource,
  FlatMatrix,
  FlatTargets,
  GivenBatch,
  Source,
  SourceBatch,
  SourceTargets,
  TableBatch,
} from './state/source.js';
export type { Label } from './state/state.js';
export type { ColumnEncoding, DatePart, ModelColumn, TableEncoding } from './state/table-encoding.js';
export type {
  StreamCheckpoint,
  StreamOptions,
  StreamProgress,
  StreamResult,
} from './streams/fit-stream.js';
export type { Progress } from './training/progress.js';
export { interruptible, unlessAborted } from './waiting.js';
