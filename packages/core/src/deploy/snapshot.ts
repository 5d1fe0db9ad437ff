// The estimators that can be exported, and what exporters see of them.

import { OptionError } from '../errors.js';
import type { Estimator } from '../estimators/estimator.js';
import { internalsOf, type Snapshot } from '../estimators/learned.js';

/** The options and state of a fitted model. Errors: OptionError if `model` is not an estimator, StateError before `fit`. */
export function checkedSnapshot(model: Estimator, call: string): Snapshot {
  const inside = internalsOf(model);
  if (inside) return inside.snapshot(call);
  throw new OptionError(
    `${call}: model is ${model === null ? 'null' : typeof model}; pass a fitted estimator of @fkm/core.`,
    { option: 'model' },
  );
}
