// Common tensor functions, composed of the closed op set, so that backends need not implement them.

import {
  abs,
  add,
  and,
  cast,
  composite,
  div,
  exp,
  log,
  lt,
  max,
  min,
  mul,
  neg,
  not,
  type Operand,
  reduceMax,
  reshape,
  select,
  sqrt,
  stopGradient,
  sub,
  sum,
} from './ops.js';
import type { Tensor } from './trace.js';

/** Zeros in x's shape for any x: NaN · 0 would not be zero. */
export const zerosLike = (x: Tensor): Tensor => cast(lt(x, x), x.dtype);
export const square = (x: Tensor): Tensor => mul(x, x);
export const or = (a: Tensor, b: Tensor): Tensor => not(and(not(a), not(b)));
export const relu = (x: Tensor): Tensor => max(x, 0);
export const clamp = (x: Tensor, low: Operand, high: Operand): Tensor => min(max(x, low), high);

/** Inserts an axis of size 1. */
export function expandDims(x: Tensor, axis: number): Tensor {
  const at = axis < 0 ? axis + x.shape.length + 1 : axis;
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** log Σ exp(x) over the last axis, kept; the maximum is subtracted first, so that nothing overflows. */
export function logSumExp(x: Tensor): Tensor {
  const peak = stopGradient(reduceMax(x, -1, { keepDims: true }));
  return add(log(sum(exp(sub(x, peak)), -1, { keepDims: true })), peak);
}

/**
 * Terms below e^-60 of the largest are raised to that: 1e-26 changes no float32 sum. Smaller ones become denormal when multiplied
 * by derivatives, which is a hundred times slower on CPUs.
 */
const softmaxFloor = -60;

/** y = exp(x) / Σ exp(x) over the last axis, with one division a row; dx = y ∘ (dy − Σ y∘dy). */
export function softmax(x: Tensor): Tensor {
  const total = (values: Tensor): Tensor => sum(values, -1, { keepDims: true });
  const { y } = composite(
    'softmax',
    { x },
    (t) => {
      const powers = exp(max(sub(t.x, reduceMax(t.x, -1, { keepDims: true })), softmaxFloor));
      return { y: mul(powers, div(1, total(powers))) };
    },
    (t) => {
      const [y, dy] = [t.y as Tensor, t['d.y'] as Tensor];
      return { x: mul(y, sub(dy, total(mul(y, dy)))) };
    },
  );
  return y as Tensor;
}

export const logSoftmax = (x: Tensor): Tensor => sub(x, logSumExp(x));

/** 1 / (1 + exp(−x)), computed from exp(−|x|), which cannot overflow. */
export function sigmoid(x: Tensor): Tensor {
  const small = exp(neg(abs(x)));
  return div(select(lt(x, 0), small, 1), add(small, 1));
}

/** √Σ x² over the last axis, kept, at least `floor`; the gradient below the floor is zero. */
export const norm = (x: Tensor, floor = 1e-9): Tensor =>
  sqrt(max(sum(square(x), -1, { keepDims: true }), floor * floor));
