// The warning of `fit` that the first rows gave fewer prototypes than the options ask for.

import type { NdArray } from '../dtype.js';
import type { HeadFamily } from '../heads/head.js';
import type { OptionName, Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';

/** Sentences for `warnings`; none if the options leave the number open or give a grid. */
export function fewerThanAsked(
  options: Resolved,
  { supervised }: HeadFamily,
  start: ModelState,
): readonly string[] {
  const { nPrototypes, kInit, kTargets, kFeatures, initMode } = options;
  if (typeof initMode === 'object') return [];
  const count = (start.arrays.prototypes as NdArray).shape[0] as number;
  const strata =
    typeof kTargets === 'number' && typeof kFeatures === 'number' ? kTargets * kFeatures : undefined;
  const perClass = typeof kInit === 'number' ? kInit * (supervised ? start.outputs : 1) : undefined;
  const [option, asked]: readonly [OptionName, number | undefined] =
    strata !== undefined
      ? ['kTargets', strata]
      : nPrototypes !== undefined
        ? ['nPrototypes', nPrototypes]
        : ['kInit', perClass];
  if (asked === undefined || count >= asked) return [];
  return [
    `${option} asks for ${asked} prototypes, and the model has ${count}: the first rows have too few distinct ones, or heads need equal sizes.`,
  ];
}
