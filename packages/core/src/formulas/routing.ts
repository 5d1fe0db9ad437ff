// From similarities to routing weights r, traced (docs/method.md §3): one table row for each soft type.

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

/** The inputs of routing; 'gaussian' has parameters of its own. */
export interface RoutingInputs {
  /** [B, K], or [B, H, K/H]: the last axis is routed. */
  readonly similarity: Tensor;
  /** A measure that is larger for nearer prototypes, and tells them apart where float32 similarities are equal. */
  readonly nearness?: Tensor | undefined;
  /** δ = delta · scale. */
  readonly delta: Tensor;
  readonly scale?: Tensor | undefined;
  /** slope·delta + offset, if that has a faster way than through delta; one slope and one offset a prototype. */
  readonly affine?: ((slope: Tensor, offset: Tensor) => Tensor) | undefined;
  /** In the layout of the last axes of delta. */
  readonly logBandwidth?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
  /**
   * Added to the logits of 'gaussian' and 'softmax_scaled' and to the similarities of 'hard' and 'mean'; for 'scaled', the
   * logarithm of a factor. −1e9 leaves a prototype out. One set for all rows, or one for each row in the layout of the
   * similarities.
   */
  readonly offsets?: Tensor | undefined;
}

interface SoftTypeRow {
  readonly scores: (inputs: RoutingInputs, options: RoutingOptions) => Tensor;
  /** r from the scores and the mask of chosen entries (null: all). */
  readonly weigh: (scores: Tensor, chosen: Tensor | null, options: RoutingOptions) => Tensor;
  /** Whether prototypes have a bandwidth and a bias, which gradients train, and features have weights in a metric. */
  readonly bandwidths: boolean;
  /** The prototypes that an index has to find: the nearest, the topK nearest, or those with weight in a softmax over all. */
  readonly finds: 'nearest' | 'topK' | 'softmax';
  /** Why this soft type has no gradient; null if it has one. */
  readonly refusesGradients: string | null;
}

/** A bool mask of the k largest along the last axis; of equal scores, the lowest indices. */
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

/** All soft types; a new one is a new row. */
const softTypes: Readonly<Record<SoftType, SoftTypeRow>> = {
  // softmax(bias − exp(logBandwidth)·δ)
  gaussian: {
    // Small operands are multiplied first, so that each of the two steps passes over [B, K] once.
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

/** Whether offsets hold one number for each prototype, the same for every row. */
const isAPrototype = (offset: Tensor, logBandwidth: Tensor): boolean =>
  offset.shape.length === logBandwidth.shape.length;

const weightsOfMask = (chosen: Tensor, like: Tensor): Tensor => {
  const ones = cast(chosen, like.dtype);
  return div(ones, total(ones));
};

/**
 * Routing weights r in the layout of the similarities. They add up to 1 along the last axis (to 0 with 'scaled' if no similarity is
 * positive).
 */
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

/** Whether prototypes have a bandwidth and a bias, which gradients train: 'gaussian'. */
export const hasBandwidths = (softType: SoftType): boolean => softTypes[softType].bandwidths;

/** The prototypes that an index has to find. */
export const findsOf = (softType: SoftType): SoftTypeRow['finds'] => softTypes[softType].finds;

/** Why this soft type cannot be trained by gradients; null if it can. */
export const refusesGradients = (softType: SoftType): string | null => softTypes[softType].refusesGradients;
