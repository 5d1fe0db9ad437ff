// Cosine of rows of any length: rows, prototypes and weights are scaled by powers of two, which do not round, until float32 holds
// their squares. The limits are those of core's formulas/moderate.ts.

import type { SearchSpec } from './spec.js';

/** Whether a search has to measure rows, prototypes and weights. */
export const looksAtLengths = ({ distance, moderate }: SearchSpec): boolean =>
  distance === 'cosine' && moderate !== true;

/** `lengthFactor(largest)` in WGSL: the factor for a largest entry, 1 for 0 and within 2^−20 and 2^40. */
export const lengthFactor: string = `fn lengthFactor(largest: f32) -> f32 {
  let low = select(${2 ** 60}f, select(1f, ${2 ** 120}f, largest > 0f), largest < ${2 ** -80}f);
  return select(select(1f, ${2 ** -80}f, largest > ${2 ** 40}f), low, largest < ${2 ** -20}f);
}`;
