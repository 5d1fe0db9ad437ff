// Prototypes that say numbers.

import { square } from '../graph/functions.js';
import { add, div, matmul, mul, sub, sum } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { asTheyAre, type Head, type HeadFamily, type Routed } from './head.js';

/** Σ_k r_k · targets_k in standard units; the heads' answers add up. */
const answer = ({ weights, parameters }: Routed): Tensor => matmul(weights, parameters.targets as Tensor);

/** Standard units to the caller's. */
function inUnits(value: Tensor, { parameters }: Routed): Tensor {
  const [mean, deviation] = [parameters['target.mean'], parameters['target.deviation']];
  return mean && deviation ? add(mul(value, deviation), mean) : value;
}

const head = (standardised: boolean): Head => ({
  task: 'regressor',
  key: 'regressor',
  code: {
    standardised,
    store: (means, _, heads) => means.map((mean) => mean / heads),
    recall: (targets, _, heads) => targets.map((target) => target * heads),
  },
  routes: true,
  candidates: 'all',
  start: 'strata',
  jointScale: (_, outputs) => 2 / Math.sqrt(outputs),
  ...asTheyAre,
  // mean over columns of (answer − y)²
  loss: (routed, y) => div(sum(square(sub(answer(routed), y)), -1), y.dim(-1)),
  reads: { value: (routed) => inUnits(answer(routed), routed) },
});

export const regressorHeads: HeadFamily = {
  task: 'regressor',
  carries: () => true,
  head: ({ softType }) => head(softType === 'gaussian'),
};
