// Similarities to routing weights r, traced: docs/method.md §3, one row a soft type.

import { or, relu, softmax } from '../graph/functions.js';
import {
  add,
  and,
  argMax,
  cast,
  div,
  eq,
  exp,
  iota,
  lt,
  mul,
  neg,
  not,
  oneHot,
  select,
  slice,
  sum,
  topK,
} from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

export type SoftType = 'gaussian' | 'hard' | 'mean' | 'scaled' | 'softmax_scaled';

export interface RoutingOptions {
  readonly softType: SoftType;
  /** Divides the similarities of 'softmax_scaled'. */
  readonly temperature: number;
  /** How many prototypes share the answer; −1 or K: all of them. */
  readonly topK: number;
}

/** What routing reads; 'gaussian' has parameters of its own. */
export interface RoutingInputs {
  /** [B, K], or [B, H, K/H]: the last axis is routed. */
  readonly similarity: Tensor;
  /** What is the larger the nearer, where similarities are alike for what float32 has no digits. */
  readonly nearness?: Tensor | undefined;
  /** δ = delta · scale */
  readonly delta: Tensor;
  readonly scale?: Tensor | undefined;
  /** slope·delta + offset, where there is a shorter way than by delta; of one slope and one offset a prototype. */
  readonly affine?: ((slope: Tensor, offset: Tensor) => Tensor) | undefined;
  /** In the layout of the last axes of delta. */
  readonly logBandwidth?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
  /**
   * Added to the logits of 'gaussian' and 'softmax_scaled' and to the similarities of 'hard' and 'mean', a factor's logarithm in
   * 'scaled': −1e9 leaves a prototype out. For all rows, or in the layout of the similarities for each.
   */
  readonly offsets?: Tensor | undefined;
}

interface SoftTypeRow {
  readonly scores: (inputs: RoutingInputs, options: RoutingOptions) => Tensor;
  /** r from the scores and the chosen entries (null: all). */
  readonly weigh: (scores: Tensor, chosen: Tensor | null, options: RoutingOptions) => Tensor;
  /** Every prototype has a bandwidth and a bias, which gradients train, and features weigh by a metric. */
  readonly bandwidths: boolean;
  /** Whom an index has to find: the nearest, the topK nearest, or as many as have weight in a softmax over all. */
  readonly finds: 'nearest' | 'topK' | 'softmax';
  /** Why there is no gradient, or null. */
  readonly refusesGradients: string | null;
}

/** The k largest of the last axis as a bool mask; of equal scores the lowest indices are taken. */
export function largest(scores: Tensor, k: number): Tensor {
  const { values, indices } = topK(scores, k);
  const [threshold, index] = [slice(values, -1, k - 1, k), slice(indices, -1, k - 1, k)];
  const upTo = not(lt(index, iota(scores, scores.dim(-1))));
  return or(lt(threshold, scores), and(eq(scores, threshold), upTo));
}

const bySimilarity = ({ similarity, nearness = similarity, offsets }: RoutingInputs): Tensor =>
  offsets ? add(nearness, offsets) : nearness;
const keep = (x: Tensor, chosen: Tensor | null, other: number): Tensor =>
  chosen ? select(chosen, x, other) : x;
const total = (x: Tensor): Tensor => sum(x, -1, { keepDims: true });
const outside = -1e9;

/** Every soft type: adding one is adding a row. */
const softTypes: Readonly<Record<SoftType, SoftTypeRow>> = {
  // softmax(bias − exp(logBandwidth)·δ)
  gaussian: {
    // The small operands meet first: one pass over the [B, K] logits for each of the two steps.
    scores: ({ delta, scale, affine, logBandwidth, bias, offsets }) => {
      const bandwidth = logBandwidth ? neg(exp(logBandwidth)) : -1;
      const slope = scale ? mul(scale, bandwidth) : bandwidth;
      const offset = bias && offsets ? add(bias, offsets) : (bias ?? offsets);
      if (affine && logBandwidth && offset && isAPrototype(offset, logBandwidth))
        return affine(slope as Tensor, offset);
      const logits = mul(delta, slope);
      return offset ? add(logits, offset) : logits;
    },
    weigh: (logits, chosen) => softmax(keep(logits, chosen, outside)),
    bandwidths: true,
    finds: 'softmax',
    refusesGradients: null,
  },
  // 1 at the maximum
  hard: {
    scores: bySimilarity,
    weigh: (s) => oneHot(argMax(s), s.dim(-1), s.dtype),
    bandwidths: false,
    finds: 'nearest',
    refusesGradients: "'hard' routing is constant almost everywhere",
  },
  // 1/k on the chosen
  mean: {
    scores: bySimilarity,
    weigh: (s, chosen) => (chosen ? weightsOfMask(chosen, s) : div(add(mul(s, 0), 1), s.dim(-1))),
    bandwidths: false,
    finds: 'topK',
    refusesGradients: "'mean' routing is constant almost everywhere",
  },
  // max(s, 0) / (Σ max(s, 0) + 1e-9)
  scaled: {
    scores: ({ similarity, offsets }) => (offsets ? mul(similarity, exp(offsets)) : similarity),
    weigh: (s, chosen) => {
      const positive = keep(relu(s), chosen, 0);
      return div(positive, add(total(positive), 1e-9));
    },
    bandwidths: false,
    finds: 'topK',
    refusesGradients: null,
  },
  // softmax(s / temperature)
  softmax_scaled: {
    scores: ({ similarity, offsets }, { temperature }) =>
      offsets ? add(similarity, mul(offsets, temperature)) : similarity,
    weigh: (s, chosen, { temperature }) => softmax(keep(div(s, temperature), chosen, outside)),
    bandwidths: false,
    finds: 'topK',
    refusesGradients: null,
  },
};

/** One number a prototype, the same for every row. */
const isAPrototype = (offset: Tensor, logBandwidth: Tensor): boolean =>
  offset.shape.length === logBandwidth.shape.length;

const weightsOfMask = (chosen: Tensor, like: Tensor): Tensor => {
  const ones = cast(chosen, like.dtype);
  return div(ones, total(ones));
};

/** Routing weights r of the layout of the similarities; they add up to 1 along the last axis (0 where all of 'scaled' is negative). */
export function routingWeights(inputs: RoutingInputs, options: RoutingOptions): Tensor {
  const row = softTypes[options.softType];
  const scores = row.scores(inputs, options);
  const count = scores.dim(-1);
  const all = options.topK < 0 || options.topK >= count;
  const { nearness, offsets } = inputs;
  const order = nearness && !row.bandwidths ? bySimilarity({ ...inputs, nearness, offsets }) : scores;
  return row.weigh(scores, all ? null : largest(order, options.topK), options);
}

export const softTypeNames: readonly SoftType[] = Object.keys(softTypes) as SoftType[];

/** Whether every prototype has a bandwidth and a bias, which gradients train: 'gaussian'. */
export const hasBandwidths = (softType: SoftType): boolean => softTypes[softType].bandwidths;

/** Whom an index has to find. */
export const findsOf = (softType: SoftType): SoftTypeRow['finds'] => softTypes[softType].finds;

/** Why this soft type cannot be trained by gradients, or null. */
export const refusesGradients = (softType: SoftType): string | null => softTypes[softType].refusesGradients;
