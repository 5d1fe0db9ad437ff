// The asymmetric loss of multi-label classification (Ridnik et al. 2021), traced.

import { clamp } from '../graph/functions.js';
import { add, exp, log, max, min, mul, neg, sub, sum } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { shareOfMinimum } from './calibration.js';

export interface AsymmetricLoss {
  readonly gammaNeg: number;
  readonly gammaPos: number;
  readonly clip: number;
  readonly variant: 'standard' | 'original';
}

/** Least probability in a logarithm; below it the gradient is 0. */
const least = 1e-8;

/** x^γ for x ≥ 0; whole powers by products, which have a slope at 0. */
function power(x: Tensor, gamma: number): Tensor | null {
  if (gamma === 0) return null;
  if (Number.isInteger(gamma) && gamma <= 8) {
    let product = x;
    for (let i = 1; i < gamma; i++) product = mul(product, x);
    return product;
  }
  return exp(mul(log(max(x, least)), gamma));
}

const times = (factor: Tensor | null, x: Tensor): Tensor => (factor ? mul(factor, x) : x);

/** Log likelihoods of a positive and a negative, each weighted by how hard it is. */
type Terms = (p: Tensor, options: AsymmetricLoss) => readonly [positive: Tensor, negative: Tensor];

const variants: Readonly<Record<AsymmetricLoss['variant'], Terms>> = {
  // (1−p)^γ+·log p and (1−q)^γ−·log q, q = min(1 − p + clip, 1): negatives below the clip are right enough
  standard: (p, { gammaNeg, gammaPos, clip }) => {
    const q = min(add(sub(1, p), clip), 1);
    return [
      times(power(sub(1, p), gammaPos), log(max(p, least))),
      times(power(sub(1, q), gammaNeg), log(max(q, least))),
    ];
  },
  // a^γ+·log p and p^γ−·log(a + 1e-8), a = max(1 − p − clip, 0)
  original: (p, { gammaNeg, gammaPos, clip }) => {
    const a = max(sub(1, add(p, clip)), 0);
    return [times(power(a, gammaPos), log(max(p, least))), times(power(p, gammaNeg), log(add(a, least)))];
  },
};

/**
 * −[ y·positive + (1−y)·negative ], summed over labels: the loss of each row [B] from probabilities and labels [B, C]; `weight` [C]
 * weights labels.
 */
export function asymmetricLoss(p: Tensor, y: Tensor, options: AsymmetricLoss, weight?: Tensor): Tensor {
  const [positive, negative] = variants[options.variant](clamp(p, 0, 1), options);
  const terms = add(mul(y, positive), mul(sub(1, y), negative));
  return neg(sum(weight ? mul(terms, weight) : terms, -1));
}

/** The share of positives among rows for which p has the lowest loss: how often a label occurs where the trained answer is p. */
export const shareOfPositives = (p: Tensor, options: AsymmetricLoss): Tensor =>
  shareOfMinimum(
    p,
    (inside) => {
      const [positive, negative] = variants[options.variant](inside, options);
      return [neg(positive), neg(negative)];
    },
    // Beyond this, a is 0 in the original variant, and its loss is a step without slope.
    options.variant === 'original' ? 1 - options.clip : 1,
  );
