// Declares the suite of the estimators on a backend: the original's numbers, and behaviour.

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

/** Checks that depend on the host: slow devices run only those named, others all. */
function byTheHost(checks: readonly Check[], ...onDevices: readonly string[]): Check[] {
  const absent = onDevices.filter((key) => !checks.some((check) => check.key === key));
  if (absent.length > 0) throw new Error(`no check is called "${absent[0]}".`);
  return checks.map((check) => ({ ...check, thorough: check.thorough || !onDevices.includes(check.key) }));
}

/**
 * The combinations that devices check: every estimator, soft type and distance, and every distance with 'gaussian'. A device
 * compiles for seconds for each, to see finite numbers; the numbers of the original are checked there in every pair.
 */
const combined = [
  'classifier: gaussian routing by euclidean',
  'multiLabel: gaussian routing by l1',
  'regressor: gaussian routing by cosine',
  'clusterer: scaled routing by euclidean',
  'classifier: hard routing by cosine',
  'regressor: mean routing by cosine',
  'regressor: softmax_scaled routing by euclidean',
].map((settings) => `${settings}: finite numbers`);

const { combinations, ...behaviour } = behaviourChecks();

/** All checks of the estimators, by group. */
export const estimatorSuites = (): Record<string, Check[]> => ({
  original: originalChecks(),
  ...behaviour,
  combinations: byTheHost(combinations, ...combined),
  laws: lawChecks(),
  accuracy: accuracyChecks(),
  dtype: byTheHost(
    dtypeChecks(),
    'regressor: learns in float16 as in float32, and answers here as on the reference',
  ),
  sparse: byTheHost(sparseChecks(), 'regressor: learns and answers from CSR as from dense rows'),
  arrays: byTheHost(arrayChecks()),
  lengths: byTheHost(
    lengthChecks(),
    'transform: cosines of rows of any length, plain',
    'regressor: learns rows of any length as rows of length 1',
  ),
  'target offsets': byTheHost(
    targetOffsetChecks(),
    'regressor: a given grid answers its targets, and a constant is met exactly',
  ),
  units: byTheHost(unitChecks(), 'clusterer: finds clusters times 1e-24, euclidean'),
});

/** Declares the suite of the estimators for a backend. */
export function describeEstimators(
  name: string,
  make: () => Promise<Backend>,
  options: Pick<SuiteOptions, 'knownGaps' | 'thorough'> = {},
): void {
  declareSuite(`estimators on ${name}`, make, estimatorSuites(), options);
}
