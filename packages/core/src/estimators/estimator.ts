// Any of the estimators, for what takes a model whatever its task: exports, `batched`, helpers of users.

import type { FastKMeansClassifier } from './classifier.js';
import type { FastKMeansClusterer } from './clusterer.js';
import type { FastMultiLabelKMeansClassifier } from './multi-label.js';
import type { FastKMeansRegressor } from './regressor.js';

/** Any of the estimators. What they share can be called: `predict`, `score`, `save`, `grid`; `instanceof` tells one from another. */
export type Estimator =
  | FastKMeansClusterer
  | FastKMeansClassifier
  | FastMultiLabelKMeansClassifier
  | FastKMeansRegressor;
