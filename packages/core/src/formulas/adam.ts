// Adam, traced as the last part of a step (Kingma & Ba 2015, algorithm 1).

import { add, div, mul, sqrt, sub } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

export const adamDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

export interface AdamSlot {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  /** First and second moment, in the parameter's shape. */
  readonly m: Tensor;
  readonly v: Tensor;
}

/** Scalars of one step: learning rate, 1/(1−β1ᵗ), 1/(1−β2ᵗ). */
export interface AdamScalars {
  readonly learningRate: Tensor;
  readonly correction1: Tensor;
  readonly correction2: Tensor;
}

/** p − η·m̂/(√v̂ + ε) and the new moments. Entries where `active` (0 or 1, broadcast to the parameter) is 0 do not change. */
export function adamUpdate(
  slot: AdamSlot,
  scalars: AdamScalars,
  active?: Tensor,
): { parameter: Tensor; m: Tensor; v: Tensor } {
  const { beta1, beta2, epsilon } = adamDefaults;
  const g = active ? mul(slot.gradient, active) : slot.gradient;
  const m = add(mul(slot.m, beta1), mul(g, 1 - beta1));
  const v = add(mul(slot.v, beta2), mul(mul(g, g), 1 - beta2));
  const rate = mul(scalars.learningRate, scalars.correction1);
  const step = div(mul(m, rate), add(sqrt(mul(v, scalars.correction2)), epsilon));
  return { parameter: sub(slot.parameter, active ? mul(step, active) : step), m, v };
}

/** The bias corrections after `step` steps, counted from 1, computed on the host. */
export function adamCorrections(step: number): { correction1: number; correction2: number } {
  const { beta1, beta2 } = adamDefaults;
  return { correction1: 1 / (1 - beta1 ** step), correction2: 1 / (1 - beta2 ** step) };
}
