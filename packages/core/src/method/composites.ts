// The named composites: searches over prototypes that a backend may replace by a fused kernel.

import { square } from '../graph/functions.js';
import { argMax, composite, matmul, mul, neg, reduceMax, sub, sum, topK } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { type Comparison, centered, compare, pairwise } from './similarity.js';

/** Operands that are present, by the names of a comparison. */
const operands = ({ x, prototypes, mask, weights }: Comparison): Record<string, Tensor> => ({
  x,
  prototypes,
  ...(mask ? { mask } : {}),
  ...(weights ? { weights } : {}),
});

const again = (comparison: Comparison, t: Readonly<Record<string, Tensor>>): Comparison => ({
  distance: comparison.distance,
  x: t.x as Tensor,
  prototypes: t.prototypes as Tensor,
  mask: t.mask,
  weights: t.weights,
});

/** Similarities [B, K] of one head. */
export function pairwiseSimilarity(comparison: Comparison): Tensor {
  const results = composite(`pairwiseSimilarity.${comparison.distance}`, operands(comparison), (t) => ({
    similarity: pairwise(again(comparison, t)),
  }));
  return results.similarity as Tensor;
}

/** Index [B] of the nearest prototype, the lowest of equals, and δ [B] to it. */
export function nearest(comparison: Comparison): { index: Tensor; delta: Tensor } {
  const results = composite(`nearest.${comparison.distance}`, operands(comparison), (t) => {
    const plain = comparison.distance === 'euclidean' && !comparison.mask && !comparison.weights;
    return plain
      ? nearestByProduct(centered(again(comparison, t)))
      : nearestOf(neg(compare(again(comparison, t)).delta));
  });
  return { index: results.index as Tensor, delta: results.delta as Tensor };
}

const nearestOf = (score: Tensor): { index: Tensor; delta: Tensor } => ({
  index: argMax(score),
  delta: neg(reduceMax(score, -1)),
});

/** ‖x − p‖² = ‖x‖² − 2·(x·p − ½‖p‖²): the search needs no ‖x‖², so that it is one matmul with a bias. */
function nearestByProduct({ x, prototypes }: { x: Tensor; prototypes: Tensor }): {
  index: Tensor;
  delta: Tensor;
} {
  const half = mul(sum(square(prototypes), -1), 0.5);
  const score = sub(matmul(x, prototypes, { transposeB: true }), half);
  const delta = sub(sum(square(x), -1), mul(reduceMax(score, -1), 2));
  return { index: argMax(score), delta };
}

/** The k most similar prototypes [B, k], most similar first, the lowest of equals first. */
export function topKSimilar(comparison: Comparison, k: number): { similarity: Tensor; index: Tensor } {
  const results = composite(`topKSimilar.${comparison.distance}`, operands(comparison), (t) => {
    const { values, indices } = topK(pairwise(again(comparison, t)), k);
    return { similarity: values, index: indices };
  });
  return { similarity: results.similarity as Tensor, index: results.index as Tensor };
}
