// The door through which exports see a model's state. Not a method, so that estimators show their users none.

import { OptionError } from '../errors.js';
import type { FastKMeansClassifier } from '../estimators/classifier.js';
import type { FastKMeansClusterer } from '../estimators/clusterer.js';
import type { FastMultiLabelKMeansClassifier } from '../estimators/multi-label.js';
import type { FastKMeansRegressor } from '../estimators/regressor.js';
import type { ModelState } from '../state/state.js';
import type { Context } from '../training/context.js';

/** Any of the four. */
export type Estimator =
  | FastKMeansClusterer
  | FastKMeansClassifier
  | FastMultiLabelKMeansClassifier
  | FastKMeansRegressor;

/** What a model was made with, and what it has learned. Errors: OptionError for what is no model, StateError before fit. */
export function snapshotOf(
  model: Estimator,
  call: string,
): { readonly context: Context; readonly state: ModelState } {
  // Brackets are TypeScript's door into what a class shows its heirs alone; types are checked behind it.
  // biome-ignore-start lint/complexity/useLiteralKeys: dots do not open it.
  if (typeof model?.['fitted'] !== 'function') {
    throw new OptionError(
      `${call}: model is ${model === null ? 'null' : typeof model}; pass a fitted estimator of @fkm/core.`,
      { option: 'model' },
    );
  }
  return { context: model['context'](call), state: model['fitted'](call) };
  // biome-ignore-end lint/complexity/useLiteralKeys: dots do not open it.
}
