// The graph of phase 1: every row to its nearest prototype, one a head, and the sums that the update needs.

import { type NdArray, ndarray } from '../dtype.js';
import { clamp, expandDims, relu } from '../graph/functions.js';
import type { Graph } from '../graph/ir.js';
import {
  argMax,
  broadcast,
  concat,
  constantLike,
  exp,
  lt,
  mul,
  neg,
  oneHot,
  scatter,
  select,
  slice,
  sub,
  sum,
} from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import { nearest } from '../method/composites.js';
import { type Comparison, compare } from '../method/similarity.js';
import { parameterSpecs } from './graphs.js';
import { batchSpecs, type GridSpec } from './spec.js';

/** How much a row counts in its prototype's target; for 'hard' the host picks the row of highest similarity. */
export type TargetAssignment = 'mean' | 'scaled' | 'softmax_scaled' | 'hard';

const targetWeights: Readonly<
  Record<TargetAssignment, (similarity: Tensor, temperature: number) => Tensor | null>
> = {
  mean: () => null,
  hard: () => null,
  scaled: (s) => relu(s),
  // exp(s / temperature) over its value at s = 1, which no similarity exceeds: only the ratios count.
  softmax_scaled: (s, temperature) => exp(mul(sub(s, 1), 1 / temperature)),
};

/** The comparison with the targets as further columns: near in features and in what is to be said. */
function joint(spec: GridSpec, features: Comparison, y: Tensor, targets: Tensor): Comparison {
  const scale = spec.head.jointScale / Math.sqrt(spec.targets);
  const { mask, weights } = features;
  const ones = (rows: number): Tensor => constantLike(y, filled(1, [rows, spec.targets]));
  return {
    ...features,
    x: concat([features.x, mul(y, scale)], 1),
    prototypes: concat([features.prototypes, mul(targets, scale * spec.heads)], 1),
    mask: mask && concat([mask, broadcast(ones(1), y.shape, y)], 1),
    weights: weights && concat([weights, ones(spec.heads)], 1),
  };
}

const filled = (value: number, shape: readonly [number, number]): NdArray =>
  ndarray(new Float32Array(shape[0] * shape[1]).fill(value), shape);

/** Σ of the updates of each prototype [K/H, ..]. */
const totals = (index: Tensor, updates: Tensor, prototypes: number): Tensor =>
  scatter(constantLike(updates, filled(0, [prototypes, updates.dim(1)])), index, updates);

/**
 * Scaled batch to, a column a head, the nearest prototype's `index` in its head and the `delta` to it (for 'hard' also its
 * `similarity`);
 * and a row a prototype `weights` Σ w, `sums` Σ w·x, `targetWeights` Σ v, `targetSums` Σ v·y, v being w weighed by the
 * target assignment. Masked: `sums` Σ w·m·x and `coordinateWeights` Σ w·m.
 */
export function assignGraph(
  spec: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  targetAssignment: TargetAssignment,
): Graph {
  return trace(
    'assign',
    { ...batchSpecs(spec), ...parameterSpecs(arrays) },
    (t: Readonly<Record<string, Tensor>>) => {
      const [x, y, w] = [t.x as Tensor, t.y as Tensor, t.sampleWeight as Tensor];
      const mask = t.mask && clamp(t.mask, 0, 1);
      const prototypes = t.prototypes as Tensor;
      const comparison: Comparison = {
        distance: spec.distance,
        x,
        prototypes,
        mask,
        weights: t.featureWeights,
      };
      const features = compare(comparison);
      const { layout } = features;
      const searched = spec.joint
        ? compare(joint(spec, comparison, y, t.targets as Tensor)).delta
        : features.delta;
      const rows = mask ? mul(select(lt(0, mask), x, 0), mask) : x;
      const weight = expandDims(w, 1);

      const collected = new Map<string, Tensor[]>();
      const collect = (name: string, value: Tensor): void => {
        collected.set(name, [...(collected.get(name) ?? []), value]);
      };
      // One head without targets is the plain search, for which backends may have a kernel.
      const plain = spec.joint || layout.heads > 1 ? undefined : nearest(comparison);
      for (let head = 0; head < layout.heads; head++) {
        const own = (all: Tensor): Tensor =>
          slice(layout.join(all), 1, head * layout.perHead, (head + 1) * layout.perHead);
        const index = plain?.index ?? argMax(neg(own(searched)));
        const at = oneHot(index, layout.perHead);
        const similarity = sum(mul(own(features.similarity), at), 1);
        const delta = plain?.delta ?? sum(mul(own(features.delta), at), 1);
        const factor = targetWeights[targetAssignment](similarity, spec.routing.temperature);
        const share = factor ? expandDims(mul(w, factor), 1) : weight;
        collect('index', expandDims(index, 1));
        if (targetAssignment === 'hard') collect('similarity', expandDims(similarity, 1));
        collect('delta', expandDims(delta, 1));
        collect('weights', totals(index, weight, layout.perHead));
        collect('sums', totals(index, mul(rows, weight), layout.perHead));
        if (mask) collect('coordinateWeights', totals(index, mul(mask, weight), layout.perHead));
        collect('targetWeights', totals(index, share, layout.perHead));
        collect('targetSums', totals(index, mul(y, share), layout.perHead));
      }
      const perRow = new Set(['index', 'similarity', 'delta']);
      return Object.fromEntries(
        [...collected].map(([name, parts]) => [name, concat(parts, perRow.has(name) ? 1 : 0)]),
      );
    },
  );
}
