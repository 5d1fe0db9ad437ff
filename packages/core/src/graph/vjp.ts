// Vector-Jacobian products, one row an op: from cotangents of the outputs to cotangents of the inputs; null means no derivative
// (integers, conditions). Rules are traced, so gradients can be differentiated again.

import { type Shape, sizeOf } from '../dtype.js';
import { zerosLike } from './functions.js';
import { BATCH, type OpAttrs, type OpName } from './ir.js';
import * as op from './ops.js';
import { inline, type Tensor } from './trace.js';

const { cast, concat, div, eq, gather, lt, matmul, mul, neg, oneHot, reshape, select, sum } = op;

/** Operands by position; an op reads as many as it has. */
type Operands = readonly [Tensor, Tensor, Tensor];
export type Cotangents = readonly (Tensor | null)[];

/** Cotangents of `wrt` from cotangents of `outputs`; zero derivatives are null. */
export type Pullback = (
  outputs: readonly Tensor[],
  cotangents: Cotangents,
  wrt: readonly Tensor[],
) => Cotangents;

/**
 * (inputs, outputs, cotangents of the outputs, attributes) → cotangents of the inputs. Only composites have several floating-point
 * outputs; those without a cotangent are null, which `pullback` accepts.
 */
export type VjpRule<O extends OpName> = (
  x: Operands,
  y: Operands,
  g: Operands,
  attrs: OpAttrs[O],
  pullback: Pullback,
) => Cotangents;

/** Sums g over the axes along which `shape` was broadcast. */
export function unbroadcast(g: Tensor, shape: Shape): Tensor {
  const extra = g.shape.length - shape.length;
  const axes = g.shape.flatMap((dim, i) => (i < extra || (shape[i - extra] === 1 && dim !== 1) ? [i] : []));
  return reshape(sum(g, axes, { keepDims: true }), shape);
}

const to = (g: Tensor, x: Tensor): Tensor => unbroadcast(g, x.shape);
/** g, reduced over axes of x, broadcast back to the shape of x. */
function expand(g: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return op.broadcast(reshape(g, kept), x.shape, kept.includes(BATCH) ? undefined : x);
}

/**
 * Splits indices of any rank, with updates of shape indices.shape + rest, into pairs for scatter, whose indices have rank 1. There
 * is one pair, unless the batch axis stands beside other index axes: B·k rows have no symbol, so each of the k gets its own pair.
 */
function scatterable(indices: Tensor, updates: Tensor): [Tensor, Tensor][] {
  const rank = indices.shape.length;
  const rest = updates.shape.slice(rank);
  const batch = indices.shape.indexOf(BATCH);
  if (batch < 0 || rank === 1) {
    const count = batch < 0 ? sizeOf(indices.shape) : BATCH;
    return [[reshape(indices, [count]), reshape(updates, [count, ...rest])]];
  }
  const others = indices.shape.flatMap((_, i) => (i === batch ? [] : [i]));
  const count = -sizeOf(indices.shape);
  const first = [batch, ...others];
  const table = reshape(op.transpose(indices, first), [BATCH, count]);
  const rows = reshape(op.transpose(updates, [...first, ...rest.map((_, i) => i + rank)]), [
    BATCH,
    count,
    ...rest,
  ]);
  return Array.from({ length: count }, (_, i) => [
    reshape(op.slice(table, 1, i, i + 1), [BATCH]),
    reshape(op.slice(rows, 1, i, i + 1), [BATCH, ...rest]),
  ]);
}

/**
 * Passes g to the operand that was taken: to y where `second` holds. Written as products, which runtimes split over threads;
 * selects they do not.
 */
function taken(x: Tensor, y: Tensor, g: Tensor, second: Tensor): [Tensor, Tensor] {
  const share = (chosen: Tensor): Tensor => mul(g, cast(chosen, g.dtype));
  return [to(share(op.not(second)), x), to(share(second), y)];
}

/** The derivative of every op. */
export const vjp: { [O in OpName]: VjpRule<O> } = {
  constant: () => [],
  // d(x + y) = dx + dy
  add: ([x, y], _, [g]) => [to(g, x), to(g, y)],
  sub: ([x, y], _, [g]) => [to(g, x), to(neg(g), y)],
  // d(xy) = y dx + x dy
  mul: ([x, y], _, [g]) => [to(mul(g, y), x), to(mul(g, x), y)],
  // d(x/y) = dx/y − (x/y) dy/y
  div: ([x, y], [z], [g]) => [to(div(g, y), x), neg(div(to(mul(g, z), y), y))],
  neg: (_x, _y, [g]) => [neg(g)],
  // d exp x = exp x dx
  exp: (_x, [y], [g]) => [mul(g, y)],
  // d log x = dx / x
  log: ([x], _, [g]) => [div(g, x)],
  // d √x = dx / (2√x)
  sqrt: (_x, [y], [g]) => [div(g, mul(y, 2))],
  // d|x| = sign(x) dx, 0 at the kink
  abs: ([x], _, [g]) => [select(lt(x, 0), neg(g), select(lt(neg(x), 0), g, 0))],
  // The operand that was taken gets the derivative; of equal ones the first.
  max: ([x, y], _, [g]) => taken(x, y, g, lt(x, y)),
  min: ([x, y], _, [g]) => taken(x, y, g, lt(y, x)),
  eq: () => [null, null],
  lt: () => [null, null],
  and: () => [null, null],
  not: () => [null],
  select: ([c, x, y], _, [g]) => [null, to(select(c, g, 0), x), to(select(c, 0, g), y)],
  cast: ([x], _, [g]) => [cast(g, x.dtype)],
  // d(AB) = dA B + A dB; a transposed operand transposes its derivative.
  matmul: ([a, b], _, [g], { transposeA, transposeB }) => {
    const da = transposeA
      ? matmul(b, g, { transposeA: transposeB, transposeB: true })
      : matmul(g, b, { transposeB: !transposeB });
    const db = transposeB
      ? matmul(g, a, { transposeA: true, transposeB: transposeA })
      : matmul(a, g, { transposeA: !transposeA });
    return [to(da, a), to(db, b)];
  },
  sum: ([x], _, [g], { axes }) => [expand(g, x, axes)],
  // Equal maxima share the derivative.
  reduceMax: ([x], [y], [g], { axes }) => {
    const winners = cast(eq(x, expand(y, x, axes)), x.dtype);
    return [mul(div(winners, sum(winners, axes, { keepDims: true })), expand(g, x, axes))];
  },
  argMax: () => [null],
  // The derivative of each chosen value goes to the entry it came from.
  topK: ([x], [, indices], [g], { k }) => {
    const lead = x.shape.slice(0, -1);
    const chosen = oneHot(indices, x.dim(-1), x.dtype);
    return [reshape(matmul(reshape(g, [...lead, 1, k]), chosen), x.shape)];
  },
  reshape: ([x], _, [g]) => [reshape(g, x.shape)],
  transpose: (_x, _y, [g], { permutation }) => [
    op.transpose(
      g,
      permutation.map((_, i) => permutation.indexOf(i)),
    ),
  ],
  broadcast: ([x], _, [g]) => [to(g, x), null],
  concat: (x, _, [g], { axis }) => {
    let begin = 0;
    return x.map((part) => {
      const end = begin + part.dim(axis);
      const piece = op.slice(g, axis, begin, end);
      begin = end;
      return piece;
    });
  },
  slice: ([x], _, [g], { axis, begin, end }) => {
    const pad = (size: number): Tensor[] => {
      if (size === 0) return [];
      const shape = x.shape.map((dim, i) => (i === axis ? size : dim));
      return [op.broadcast(zerosLike(op.slice(x, axis, 0, 1)), shape)];
    };
    return [concat([...pad(begin), g, ...pad(x.dim(axis) - end)], axis)];
  },
  // Rows gathered twice add up both derivatives: a scatter over the axis moved to the front.
  gather: ([x, indices], _, [g], { axis }) => {
    const front = indices.shape.map((_, i) => i + axis);
    const rest = g.shape.flatMap((_, i) => (front.includes(i) ? [] : [i]));
    const order = x.shape.flatMap((_, i) => (i === axis ? [] : [i]));
    let summed = op.transpose(zerosLike(x), [axis, ...order]);
    for (const [rows, updates] of scatterable(indices, op.transpose(g, [...front, ...rest]))) {
      summed = op.scatter(summed, rows, updates);
    }
    return [
      op.transpose(
        summed,
        x.shape.map((_, i) => (i === axis ? 0 : order.indexOf(i) + 1)),
      ),
      null,
    ];
  },
  scatter: ([, indices], _, [g]) => [g, null, gather(g, indices)],
  oneHot: () => [null],
  iota: () => [],
  stopGradient: () => [null],
  // The composite's own derivative, else that of its body, recomputed from the inputs.
  composite: (x, y, g, { body, derivative }, pullback) =>
    derivative
      ? Object.values(inline(derivative, [...x, ...y, ...g]))
      : pullback(Object.values(inline(body, x)), g, x),
};
