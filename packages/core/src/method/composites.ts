// The named composites: searches over prototypes and sums by prototype, which a backend may replace by a fused kernel.

import { ndarray } from '../dtype.js';
import { expandDims, square } from '../graph/functions.js';
import {
  argMax,
  broadcast,
  composite,
  concat,
  constantLike,
  eq,
  iota,
  matmul,
  mul,
  neg,
  reduceMax,
  scatter,
  select,
  sub,
  sum,
  topK,
} from '../graph/ops.js';
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

/** Index [B] of the nearest prototype, the lowest of equals, and δ [B] to it; of those that are `present` [B, K], where said. */
export function nearest(comparison: Comparison, present?: Tensor): { index: Tensor; delta: Tensor } {
  if (present) return nearestOf(select(present, neg(compare(comparison).delta), -far));
  const results = composite(`nearest.${comparison.distance}`, operands(comparison), (t) => {
    const plain = comparison.distance === 'euclidean' && !comparison.mask && !comparison.weights;
    return plain
      ? nearestByProduct(centered(again(comparison, t)))
      : nearestOf(neg(compare(again(comparison, t)).delta));
  });
  return { index: results.index as Tensor, delta: results.delta as Tensor };
}

/** Farther than any row. */
const far = 3e38;

const nearestOf = (score: Tensor): { index: Tensor; delta: Tensor } => ({
  index: argMax(score),
  delta: neg(reduceMax(score, -1)),
});

/**
 * ‖x − p‖² = ‖x‖² − (2x·p − ‖p‖²): the search needs no ‖x‖², and is one matmul of [x, 1] and [2p, −‖p‖²], which costs a column
 * where a bias would cost another pass over [B, K].
 */
function nearestByProduct({ x, prototypes }: { x: Tensor; prototypes: Tensor }): {
  index: Tensor;
  delta: Tensor;
} {
  const squares = sum(square(x), -1);
  const column = expandDims(squares, 1);
  const ones = broadcast(constantLike(x, ndarray(Float32Array.of(1), [1, 1])), column.shape, column);
  const lengths = sum(square(prototypes), -1, { keepDims: true });
  const score = matmul(concat([x, ones], 1), concat([mul(prototypes, 2), neg(lengths)], 1), {
    transposeB: true,
  });
  return { index: argMax(score), delta: sub(squares, reduceMax(score, -1)) };
}

/** The k most similar prototypes [B, k], most similar first, the lowest of equals first. */
export function topKSimilar(comparison: Comparison, k: number): { similarity: Tensor; index: Tensor } {
  const results = composite(`topKSimilar.${comparison.distance}`, operands(comparison), (t) => {
    const { values, indices } = topK(pairwise(again(comparison, t)), k);
    return { similarity: values, index: indices };
  });
  return { similarity: results.similarity as Tensor, index: results.index as Tensor };
}

/** x[i, index[i]] [B] of rows x [B, K]. */
export function takeAlong(x: Tensor, index: Tensor): Tensor {
  const results = composite('takeAlong', { x, index }, (t) => {
    const own = eq(expandDims(t.index as Tensor, 1), iota(t.x as Tensor, x.dim(1)));
    return { taken: sum(select(own, t.x as Tensor, 0), -1) };
  });
  return results.taken as Tensor;
}

/** Σ w·v [K, ·] over the rows of each of `count` prototypes, of rows v [B, ·] at index [B] with weight [B]; without v Σ w [K, 1]. */
export function sumsByIndex(
  { index, weight, values }: { index: Tensor; weight: Tensor; values?: Tensor | undefined },
  count: number,
): Tensor {
  const given: Record<string, Tensor> = { index, weight, ...(values ? { values } : {}) };
  const results = composite('sumsByIndex', given, (t) => {
    const column = expandDims(t.weight as Tensor, 1);
    const updates = t.values ? mul(t.values, column) : column;
    const width = updates.dim(1);
    const zeros = constantLike(updates, ndarray(new Float32Array(count * width), [count, width]));
    return { sums: scatter(zeros, t.index as Tensor, updates) };
  });
  return results.sums as Tensor;
}
