// Declares what an estimator should do on a backend: the original's numbers, and how it behaves.

import type { Backend } from '@fkm/core/graph';
import type { Check } from '../contract.js';
import { declareSuite, type SuiteOptions } from '../describe.js';
import { accuracyChecks } from './accuracy.js';
import { arrayChecks } from './arrays.js';
import { behaviourChecks } from './behaviour.js';
import { dtypeChecks } from './dtype.js';
import { lawChecks } from './laws.js';
import { lengthChecks } from './lengths.js';
import { originalChecks } from './original/index.js';
import { sparseChecks } from './sparse.js';
import { targetOffsetChecks } from './target-offsets.js';
import { unitChecks } from './units.js';

/** All checks of the estimators, by group. */
export const estimatorSuites = (): Record<string, Check[]> => ({
  original: originalChecks(),
  ...behaviourChecks(),
  laws: lawChecks(),
  accuracy: accuracyChecks(),
  dtype: dtypeChecks(),
  sparse: sparseChecks(),
  arrays: arrayChecks(),
  lengths: lengthChecks(),
  'target offsets': targetOffsetChecks(),
  units: unitChecks(),
});

/** Declares the suite of the estimators for a backend. */
export function describeEstimators(
  name: string,
  make: () => Promise<Backend>,
  options: Pick<SuiteOptions, 'knownGaps' | 'thorough'> = {},
): void {
  declareSuite(`estimators on ${name}`, make, estimatorSuites(), options);
}
