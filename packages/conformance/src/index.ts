// `@fkm/conformance`: the suite that every backend runs in its tests, and its table of cases.

export { everyType, type OpCase, usualRows } from './case.js';
export { opCases } from './cases/index.js';
export { type Precision, usualPrecision } from './compare.js';
export { type CompositeCase, compositeCases } from './composites.js';
export type { Check } from './contract.js';
export { checkGaps, describeBackend, type SuiteOptions, suites } from './describe.js';
export { describeEstimators, estimatorSuites } from './estimators/index.js';
export { type GradientCase, gradientCase } from './gradient.js';
export { expectReference } from './run.js';
export { describeTransfers } from './transfers.js';
