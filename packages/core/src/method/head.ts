// What differs between estimators: how a routed grid answers, what it loses, and how y enters phase 1.

import { square } from '../graph/functions.js';
import { div, matmul, sub, sum } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

/** A batch compared with the grid, as a head sees it. */
export interface Routed {
  /** Routing weights [B, K]; with heads, each head's weights add up to 1. */
  readonly weights: Tensor;
  /** Similarities [B, K]. */
  readonly similarity: Tensor;
  readonly parameters: Readonly<Record<string, Tensor>>;
}

export interface Head {
  readonly task: 'clusterer' | 'classifier' | 'multiLabel' | 'regressor';
  /** The answer [B, T]. */
  answer(routed: Routed): Tensor;
  /** The loss of each row [B], unweighted. */
  loss(routed: Routed, y: Tensor): Tensor;
  /** How far the target counts in the joint space of the start, per √column. */
  readonly jointScale: number;
}

export const regressorHead: Head = {
  task: 'regressor',
  // Σ_k r_k · targets_k; the heads' answers add up
  answer: ({ weights, parameters }) => matmul(weights, parameters.targets as Tensor),
  // mean over columns of (answer − y)²
  loss: (routed, y) => {
    const error = sub(regressorHead.answer(routed), y);
    return div(sum(square(error), -1), y.dim(-1));
  },
  jointScale: 2,
};
