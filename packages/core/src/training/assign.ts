// The graph of phase 1: assigns every row to the nearest prototype that it may choose in each head, and adds up the sums that the
// update needs.

import { type NdArray, ndarray } from '../dtype.js';
import { nearest } from '../formulas/composites.js';
import { distances } from '../formulas/distances.js';
import { type Comparison, compare, rescaling } from '../formulas/similarity.js';
import { clamp, expandDims, relu, square } from '../graph/functions.js';
import type { Graph } from '../graph/ir.js';
import {
  argMax,
  broadcast,
  concat,
  constantLike,
  div,
  exp,
  gather,
  lt,
  mul,
  neg,
  oneHot,
  select,
  slice,
  sub,
  sum,
} from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import { jointScaleOf } from '../heads/head.js';
import type { TargetAssignment } from '../state/options.js';
import { type Choice, choose, totals, wrongNearest } from './choice.js';
import { summedByIndex } from './host-sums.js';
import { asksForNearest, batchSpecs, type GridSpec, specsOf } from './spec.js';

const targetWeights: Readonly<
  Record<TargetAssignment, (similarity: Tensor, temperature: number) => Tensor | null>
> = {
  mean: () => null,
  hard: () => null,
  scaled: (s) => relu(s),
  // exp(s / temperature) relative to its value at s = 1, the highest similarity: only ratios matter.
  softmax_scaled: (s, temperature) => exp(mul(sub(s, 1), 1 / temperature)),
};

/** The comparison with the targets as additional columns, so that near means near in features and in targets. */
function joint(spec: GridSpec, features: Comparison, coordinates: Tensor, means: Tensor): Comparison {
  const scale = jointScaleOf(spec, spec.columns, spec.outputs);
  const { mask, weights } = features;
  const ones = (rows: number): Tensor => constantLike(coordinates, filled(1, [rows, spec.outputs]));
  const counts = (rows: number): Tensor =>
    spec.others ? constantLike(coordinates, countsOf(spec, rows)) : ones(rows);
  return {
    ...features,
    x: concat([features.x, mul(coordinates, scale)], 1),
    prototypes: concat([features.prototypes, mul(means, scale)], 1),
    mask: mask && concat([mask, broadcast(ones(1), coordinates.shape, coordinates)], 1),
    weights: weights && concat([weights, counts(spec.heads)], 1),
  };
}

const filled = (value: number, shape: readonly [number, number]): NdArray =>
  ndarray(new Float32Array(shape[0] * shape[1]).fill(value), shape);

/** How many outputs each target column stands for, repeated [rows, outputs]: the last one for all that do not occur in the batch. */
function countsOf({ outputs, others = 1 }: GridSpec, rows: number): NdArray {
  const counts = filled(1, [rows, outputs]);
  for (let row = 1; row <= rows; row++) counts.data[row * outputs - 1] = others;
  return counts;
}

/** The prototype that each row [B] found in a head, δ to it, and `cost`: δ in the joint space. */
interface FoundByHead {
  readonly index: Tensor;
  readonly delta: Tensor;
  readonly cost: Tensor;
}

/**
 * Whether rows may choose any prototype of a head and the host adds up the sums: then each head is one search, and no [B, K] is
 * read twice.
 */
const searchesByHead = (spec: GridSpec, targetAssignment: TargetAssignment): boolean =>
  distances[spec.distance].expands && summedByIndex(spec) && !spec.masked && targetAssignment === 'mean';

/** The nearest prototype in head h. In the joint space, δ by features is δ minus the part of the target coordinates. */
function searchHead(
  spec: GridSpec,
  searched: Comparison,
  h: number,
  target?: { readonly coordinates: Tensor; readonly means: Tensor },
): FoundByHead {
  const perHead = spec.prototypes / spec.heads;
  const ofHead = (all: Tensor): Tensor => slice(all, 0, h * perHead, (h + 1) * perHead);
  const weights = searched.weights && relu(slice(searched.weights, 0, h, h + 1));
  const { index, delta } = nearest({ ...searched, prototypes: ofHead(searched.prototypes), weights });
  const cost = relu(delta);
  if (!target) return { index, delta: cost, cost };
  const scaleOf = (all: Tensor): Tensor => rescaling(all.dim(1), sum(all));
  const features = weights && slice(weights, 1, 0, spec.columns);
  const squares = square(sub(target.coordinates, gather(ofHead(target.means), index)));
  const gaps = sum(spec.others ? mul(squares, constantLike(squares, countsOf(spec, 1))) : squares, -1);
  const rest = relu(sub(weights ? div(cost, scaleOf(weights)) : cost, gaps));
  return { index, delta: features ? mul(rest, scaleOf(features)) : rest, cost };
}

/** Arrays that the assignment reads; `means` [K, outputs] are the mean targets of each prototype, for the joint space. */
export const assignNames: readonly string[] = [
  'prototypes',
  'featureWeights',
  'means',
  'owners',
  'members',
  'positions',
  'inverseUnit',
];

/**
 * Assigns a scaled batch. Outputs by row, with one column a head: `index` of the nearest prototype in its head; `delta` to it; in
 * the joint space `cost`, δ there; for local linear models `nearest` by features alone; for 'hard' also its `similarity`. Outputs
 * by head: `spread`, Σ w·δ and Σ w. Outputs by prototype: `weights` Σ w and `sums` Σ w·x; with targets `targetWeights` Σ v and
 * `targetSums` Σ v·y, where v is w weighted by the target assignment. With a mask: `sums` Σ w·m·x and `coordinateWeights` Σ w·m.
 * With repulsion: `pushWeights`, `pushSums` and `pushCoordinateWeights`, the same sums over the rows of wrong classes. `spread`,
 * `weights` and `sums` are left out where the host adds them up by the index.
 */
export function assignGraph(
  spec: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  targetAssignment: TargetAssignment,
  onHost: boolean = summedByIndex(spec),
): Graph {
  return trace(
    'assign',
    { ...batchSpecs(spec), ...specsOf(arrays, assignNames) },
    (t: Readonly<Record<string, Tensor>>) => {
      const [x, w] = [t.x as Tensor, t.sampleWeight as Tensor];
      const mask = t.mask && clamp(t.mask, 0, 1);
      const comparison: Comparison = {
        distance: spec.distance,
        x,
        prototypes: t.prototypes as Tensor,
        mask,
        weights: t.featureWeights,
        inverseUnit: t.inverseUnit,
      };
      const features = compare(comparison);
      const { layout } = features;
      const coordinates = t.y && spec.head.coordinates(t.y, spec.outputs);
      const space = spec.joint
        ? joint(spec, comparison, coordinates as Tensor, t.means as Tensor)
        : comparison;
      const searched = spec.joint ? compare(space).delta : features.delta;
      const byHead = searchesByHead(spec, targetAssignment);
      const scale = spec.joint ? jointScaleOf(spec, spec.columns, spec.outputs) : 0;
      const target = spec.joint
        ? { coordinates: mul(coordinates as Tensor, scale), means: mul(t.means as Tensor, scale) }
        : undefined;
      const rows = mask ? mul(select(lt(0, mask), x, 0), mask) : x;

      const collected = new Map<string, Tensor[]>();
      const collect = (name: string, value: Tensor): void => {
        collected.set(name, [...(collected.get(name) ?? []), value]);
      };
      const collectSums = (prefix: string, choice: Choice): void => {
        const name = (what: string): string =>
          prefix ? `${prefix}${what.charAt(0).toUpperCase()}${what.slice(1)}` : what;
        collect(name('weights'), choice.total(null));
        collect(name('sums'), choice.total(rows));
        if (mask) collect(name('coordinateWeights'), choice.total(mask));
      };
      // One head without targets is a plain search, for which backends may have a kernel.
      const plain =
        spec.joint || layout.heads > 1 || spec.candidates !== 'all' ? undefined : nearest(comparison);
      const choiceOf = (index: Tensor): Choice => ({ ...totals(index, w, layout.perHead), weight: w, index });
      for (let head = 0; head < layout.heads; head++) {
        const own = (all: Tensor): Tensor =>
          slice(layout.join(all), 1, head * layout.perHead, (head + 1) * layout.perHead);
        const found = plain ?? (byHead ? searchHead(spec, space, head, target) : undefined);
        const choice = found
          ? choiceOf(found.index)
          : choose(spec, t, head, layout.perHead, own(searched), w);
        const at = oneHot(choice.index, layout.perHead);
        const similarity = sum(mul(own(features.similarity), at), 1);
        // Rounding can make δ negative for a row that coincides with its prototype.
        const delta = found ? relu(found.delta) : sum(mul(own(features.delta), at), 1);
        collect('index', expandDims(choice.index, 1));
        collect('delta', expandDims(delta, 1));
        if (asksForNearest(spec)) {
          const { index } = byHead
            ? searchHead(spec, comparison, head)
            : { index: argMax(neg(own(features.delta))) };
          collect('nearest', expandDims(index, 1));
        }
        if (spec.joint) {
          const cost = found && 'cost' in found ? found.cost : sum(mul(own(searched), at), 1);
          collect('cost', expandDims(cost, 1));
        }
        if (targetAssignment === 'hard') collect('similarity', expandDims(similarity, 1));
        if (!onHost) {
          const spread = concat([expandDims(mul(choice.weight, delta), 1), expandDims(choice.weight, 1)], 1);
          collect('spread', sum(spread, 0, { keepDims: true }));
          collectSums('', choice);
        }
        if (spec.head.code) {
          const factor = targetWeights[targetAssignment](similarity, spec.routing.temperature);
          const shares = factor ? totals(choice.index, mul(w, factor), layout.perHead) : choice;
          collect('targetWeights', shares.total(null));
          collect('targetSums', shares.total(coordinates as Tensor));
        }
        if (spec.repels)
          collectSums('push', wrongNearest(spec, t, head, layout.perHead, own(features.delta), w));
      }
      const perRow = new Set(['index', 'nearest', 'similarity', 'delta', 'cost']);
      return Object.fromEntries(
        [...collected].map(([name, parts]) => [name, concat(parts, perRow.has(name) ? 1 : 0)]),
      );
    },
  );
}
