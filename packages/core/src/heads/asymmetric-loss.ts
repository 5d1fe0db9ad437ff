// The asymmetric loss of multi-label classification (Ridnik et al. 2021), traced.

import { clamp } from '../graph/functions.js';
import { add, exp, log, max, min, mul, neg, sub, sum } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

export interface AsymmetricLoss {
  readonly gammaNeg: number;
  readonly gammaPos: number;
  readonly clip: number;
  readonly variant: 'standard' | 'original';
}

/** Below this a probability's logarithm has no slope. */
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

const variants = {
  // −[ y·(1−p)^γ+·log p + (1−y)·(1−q)^γ−·log q ], q = min(1 − p + clip, 1): negatives below the clip are right enough
  standard: (p: Tensor, y: Tensor, { gammaNeg, gammaPos, clip }: AsymmetricLoss): Tensor => {
    const q = min(add(sub(1, p), clip), 1);
    const positive = times(power(sub(1, p), gammaPos), log(max(p, least)));
    const negative = times(power(sub(1, q), gammaNeg), log(max(q, least)));
    return add(mul(y, positive), mul(sub(1, y), negative));
  },
  // −[ y·a^γ+·log p + (1−y)·p^γ−·log(a + 1e-8) ], a = max(1 − p − clip, 0)
  original: (p: Tensor, y: Tensor, { gammaNeg, gammaPos, clip }: AsymmetricLoss): Tensor => {
    const a = max(sub(1, add(p, clip)), 0);
    const positive = times(power(a, gammaPos), log(max(p, least)));
    const negative = times(power(p, gammaNeg), log(add(a, least)));
    return add(mul(y, positive), mul(sub(1, y), negative));
  },
} as const;

/** Σ over labels of the loss of each row [B], from probabilities and labels [B, C]; `weight` [C] weighs labels. */
export function asymmetricLoss(p: Tensor, y: Tensor, options: AsymmetricLoss, weight?: Tensor): Tensor {
  const terms = variants[options.variant](clamp(p, 0, 1), y, options);
  return neg(sum(weight ? mul(terms, weight) : terms, -1));
}
