// The estimators that exports take, and what they see of one.

import { OptionError } from '../errors.js';
import type { Estimator } from '../estimators/estimator.js';
import { internalsOf, type Snapshot } from '../estimators/learned.js';

/** What a fitted model has learned. Errors: OptionError for what is no model, StateError before fit. */
export function checkedSnapshot(model: Estimator, call: string): Snapshot {
  const inside = internalsOf(model);
  if (inside) return inside.snapshot(call);
  throw new OptionError(
    `${call}: model is ${model === null ? 'null' : typeof model}; pass a fitted estimator of @fkm/core.`,
    { option: 'model' },
  );
}
