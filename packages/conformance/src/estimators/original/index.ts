// Checks a backend against the numbers of the original implementation: every fixture of every estimator.

import type { Check } from '../../contract.js';
import { autoChecks, importanceChecks } from './choices.js';
import { formulaChecks } from './formulas.js';
import { predictChecks } from './predict.js';
import { emaChecks, gradientChecks } from './steps.js';

/** Every fixture. */
export const originalChecks = (): Check[] => [
  ...formulaChecks(),
  ...emaChecks(),
  ...gradientChecks(),
  ...predictChecks(),
  ...autoChecks(),
  ...importanceChecks(),
];
