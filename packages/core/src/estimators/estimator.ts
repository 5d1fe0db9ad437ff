// The list of the estimators: what imports files, exports, conformance and tests go through. A class alone imports none of it.

import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';

/** The class of each task, by the name that files have for it. */
export interface EstimatorClasses {
  readonly clusterer: typeof FastKMeansClusterer;
  readonly classifier: typeof FastKMeansClassifier;
  readonly multiLabel: typeof FastMultiLabelKMeansClassifier;
  readonly regressor: typeof FastKMeansRegressor;
}

export const estimatorClasses: EstimatorClasses = {
  clusterer: FastKMeansClusterer,
  classifier: FastKMeansClassifier,
  multiLabel: FastMultiLabelKMeansClassifier,
  regressor: FastKMeansRegressor,
};

/** Any of the estimators. What they share can be called: `predict`, `score`, `save`, `grid`; `instanceof` tells one from another. */
export type Estimator = InstanceType<EstimatorClasses[keyof EstimatorClasses]>;
