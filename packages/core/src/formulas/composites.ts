// The named composites: searches over prototypes and sums by prototype, which a backend may replace by a fused kernel.

import { ndarray } from '../dtype.js';
import { expandDims, relu, square } from '../graph/functions.js';
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
import { distances } from './distances.js';
import { moderated } from './moderate.js';
import { type Comparison, centered, compare, compareModerate, rescaling } from './similarity.js';

/** The operands of a comparison that are present, by name. */
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
export function pairwiseSimilarity(given: Comparison): Tensor {
  const comparison = moderated(given);
  const results = composite(`pairwiseSimilarity.${comparison.distance}`, operands(comparison), (t) => ({
    similarity: compareModerate(again(comparison, t)).similarity,
  }));
  return results.similarity as Tensor;
}

/**
 * Index [B] of the nearest prototype (ties: the lowest) and δ [B] to it; among the prototypes that are `present` [B, K], if given.
 */
export function nearest(given: Comparison, present?: Tensor): { index: Tensor; delta: Tensor } {
  if (present) return nearestOf(select(present, neg(compare(given).delta), -far));
  const comparison = moderated(given);
  const results = composite(`nearest.${comparison.distance}`, operands(comparison), (t) => {
    const own = again(comparison, t);
    const product = productOf(own);
    if (!product) return nearestOf(neg(compareModerate(own).delta));
    const { score, deltaOf } = product;
    return { index: argMax(score), delta: deltaOf(reduceMax(score, -1)) };
  });
  return { index: results.index as Tensor, delta: results.delta as Tensor };
}

/** Larger than any distance. */
const far = 3e38;

const nearestOf = (score: Tensor): { index: Tensor; delta: Tensor } => ({
  index: argMax(score),
  delta: neg(reduceMax(score, -1)),
});

/**
 * The score [B, K] in brackets of ‖x − p‖² = ‖x‖² − (2x·p − ‖p‖²): its maximum is the nearest prototype, without ‖x‖². Both terms
 * are weighted by the metric. It is one matmul of [x, 1] and [2w∘p, −‖p‖²]: a column instead of another pass for a bias. `deltaOf`
 * turns a score [B] and its row into δ. Undefined for other distances, with masks, and with several heads.
 */
function productOf(
  comparison: Comparison,
): { score: Tensor; deltaOf: (score: Tensor) => Tensor } | undefined {
  const { distance, mask } = comparison;
  if (!distances[distance].expands || mask || (comparison.weights?.dim(0) ?? 1) > 1) return undefined;
  const { x, prototypes } = centered(comparison);
  const weights = comparison.weights && relu(comparison.weights);
  const overFeatures = (squares: Tensor): Tensor =>
    weights ? matmul(squares, weights, { transposeB: true }) : sum(squares, -1, { keepDims: true });
  const [squares, lengths] = [overFeatures(square(x)), overFeatures(square(prototypes))];
  const ones = broadcast(constantLike(x, ndarray(Float32Array.of(1), [1, 1])), squares.shape, squares);
  const twice = mul(weights ? mul(prototypes, weights) : prototypes, 2);
  return {
    score: matmul(concat([x, ones], 1), concat([twice, neg(lengths)], 1), { transposeB: true }),
    deltaOf: (score) => {
      const delta = sub(sum(squares, -1), score);
      return weights ? relu(mul(delta, rescaling(x.dim(1), sum(weights)))) : delta;
    },
  };
}

/** A measure [B, K] of one head that is larger for nearer prototypes, computed as cheaply as possible. */
export const nearness = (comparison: Comparison): Tensor =>
  productOf(comparison)?.score ?? neg(compare(comparison).delta);

/** The k most similar prototypes [B, k], in descending order (ties: the lowest index first). */
export function topKSimilar(given: Comparison, k: number): { similarity: Tensor; index: Tensor } {
  const comparison = moderated(given);
  const results = composite(`topKSimilar.${comparison.distance}`, operands(comparison), (t) => {
    const { values, indices } = topK(compareModerate(again(comparison, t)).similarity, k);
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

/**
 * Σ w·v [K, ·] over the rows of each of `count` prototypes, for rows v [B, ·] at index [B] with weight [B]; without v, Σ w [K, 1].
 */
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
