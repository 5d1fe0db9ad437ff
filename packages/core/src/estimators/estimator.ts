// The list of estimators, for imports, exports, conformance and tests. Importing a single class does not load the others.

import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansQuantileRegressor } from './quantile-regressor.js';
import { FastKMeansRegressor } from './regressor.js';

/** The class of each task, by its name in files. */
export interface EstimatorClasses {
  readonly clusterer: typeof FastKMeansClusterer;
  readonly classifier: typeof FastKMeansClassifier;
  readonly multiLabel: typeof FastMultiLabelKMeansClassifier;
  readonly regressor: typeof FastKMeansRegressor;
  readonly quantileRegressor: typeof FastKMeansQuantileRegressor;
}

export const estimatorClasses: EstimatorClasses = {
  clusterer: FastKMeansClusterer,
  classifier: FastKMeansClassifier,
  multiLabel: FastMultiLabelKMeansClassifier,
  regressor: FastKMeansRegressor,
  quantileRegressor: FastKMeansQuantileRegressor,
};

/**
 * Any of the estimators, with the calls that they share: `predict`, `score`, `save`, `grid`; use `instanceof` to distinguish them.
 */
export type Estimator = InstanceType<EstimatorClasses[keyof EstimatorClasses]>;
