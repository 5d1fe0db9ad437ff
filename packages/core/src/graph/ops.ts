// The op set as functions of tensors. Numbers become constants of the other operand's dtype; negative axes count from the end.

import type { DType, NdArray, Shape } from '../dtype.js';
import { GraphError } from '../errors.js';
import type { Graph, OpAttrs, OpName } from './ir.js';
import { constant, isTensor, type Tensor, type TensorSpec, trace as traceGraph } from './trace.js';

/** A tensor, or a number that takes the dtype of the tensor beside it. */
export type Operand = Tensor | number;

function emit<O extends OpName>(op: O, inputs: readonly Tensor[], attrs: OpAttrs[O]): Tensor {
  const first = inputs[0];
  if (!first) throw new GraphError(`${op} needs an operand.`);
  return first.trace.emit(op, inputs, attrs)[0] as Tensor;
}

function lift(operands: readonly Operand[], op: OpName): Tensor[] {
  const tensor = operands.find(isTensor);
  if (!tensor) throw new GraphError(`${op} of numbers alone: compute it on the host.`);
  return operands.map((operand) =>
    isTensor(operand) ? operand : constant(tensor.trace, operand, tensor.dtype),
  );
}

type Unary = (x: Tensor) => Tensor;
type Binary = (a: Operand, b: Operand) => Tensor;
const unary =
  (op: 'neg' | 'exp' | 'log' | 'sqrt' | 'abs' | 'not' | 'stopGradient'): Unary =>
  (x) =>
    emit(op, [x], {});
const binary =
  (op: 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min' | 'eq' | 'lt' | 'and'): Binary =>
  (a, b) =>
    emit(op, lift([a, b], op), {});

export const neg: Unary = unary('neg');
export const exp: Unary = unary('exp');
export const log: Unary = unary('log');
export const sqrt: Unary = unary('sqrt');
export const abs: Unary = unary('abs');
export const not: Unary = unary('not');
/** Identity whose derivative is zero. */
export const stopGradient: Unary = unary('stopGradient');

export const add: Binary = binary('add');
export const sub: Binary = binary('sub');
export const mul: Binary = binary('mul');
export const div: Binary = binary('div');
export const max: Binary = binary('max');
export const min: Binary = binary('min');
export const eq: Binary = binary('eq');
export const lt: Binary = binary('lt');
export const and: Binary = binary('and');

/** a where the condition holds, else b. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [x, y] =
    isTensor(a) || isTensor(b)
      ? lift([a, b], 'select')
      : [constant(condition.trace, a), constant(condition.trace, b)];
  return emit('select', [condition, x as Tensor, y as Tensor], {});
}

export const cast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : emit('cast', [x], { dtype });

/** Product over the last two axes, leading axes broadcast. */
export function matmul(
  a: Tensor,
  b: Tensor,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  return emit('matmul', [a, b], {
    transposeA: options.transposeA ?? false,
    transposeB: options.transposeB ?? false,
  });
}

const resolveAxis = (x: Tensor, axis: number): number => (axis < 0 ? axis + x.shape.length : axis);

interface ReduceOptions {
  readonly keepDims?: boolean;
}

function reduce(
  op: 'sum' | 'reduceMax',
  x: Tensor,
  axes: number | readonly number[] | undefined,
  options: ReduceOptions,
): Tensor {
  const list = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  const resolved = list.map((axis) => resolveAxis(x, axis)).sort((a, b) => a - b);
  return resolved.length === 0 ? x : emit(op, [x], { axes: resolved, keepDims: options.keepDims ?? false });
}

/** Sum over the axes; default: all. */
export const sum = (x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor =>
  reduce('sum', x, axes, options);
export const reduceMax = (
  x: Tensor,
  axes?: number | readonly number[],
  options: ReduceOptions = {},
): Tensor => reduce('reduceMax', x, axes, options);
/** Index of the largest along the axis, int32; ties go to the lowest index. */
export const argMax = (x: Tensor, axis = -1): Tensor => emit('argMax', [x], { axis: resolveAxis(x, axis) });

/** The k largest along the last axis, descending, ties by lowest index. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const [values, indices] = x.trace.emit('topK', [x], { k });
  return { values: values as Tensor, indices: indices as Tensor };
}

const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

export const reshape = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : emit('reshape', [x], { shape });
/** Permutes the axes; default: reversed. */
export const transpose = (
  x: Tensor,
  permutation: readonly number[] = x.shape.map((_, i) => x.shape.length - 1 - i),
): Tensor => (permutation.every((axis, i) => axis === i) ? x : emit('transpose', [x], { permutation }));

/** Repeats x to the shape; `like`, a tensor of that shape, is needed if x has no batch axis. */
export function broadcast(x: Tensor, shape: Shape, like?: Tensor): Tensor {
  if (sameShape(x.shape, shape)) return x;
  return emit('broadcast', like ? [x, like] : [x], { shape });
}

export const concat = (tensors: readonly Tensor[], axis = -1): Tensor =>
  tensors.length === 1
    ? (tensors[0] as Tensor)
    : emit('concat', tensors, { axis: resolveAxis(tensors[0] as Tensor, axis) });
export const slice = (x: Tensor, axis: number, begin: number, end: number): Tensor =>
  emit('slice', [x], { axis: resolveAxis(x, axis), begin, end });
/** Entries of x along the axis: x.shape[:axis] + indices.shape + x.shape[axis+1:]. Indices must lie in range. */
export const gather = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  emit('gather', [x, indices], { axis: resolveAxis(x, axis) });
/** x with updates[i] added to row indices[i]; repeated indices add up. */
export const scatter = (x: Tensor, indices: Tensor, updates: Tensor): Tensor =>
  emit('scatter', [x, indices, updates], {});
export const oneHot = (indices: Tensor, depth: number, dtype: DType = 'float32'): Tensor =>
  emit('oneHot', [indices], { depth, dtype });
/** 0, 1, … length − 1 as int32, in the trace of another tensor. */
export const iota = (of: Tensor, length: number): Tensor =>
  of.trace.emit('iota', [], { length })[0] as Tensor;
/** A constant array in the trace of another tensor. */
export const constantLike = (of: Tensor, values: number | NdArray, dtype: DType = of.dtype): Tensor =>
  constant(of.trace, values, dtype);

/**
 * Applies a named body that a backend may replace by its own kernel. The body is traced here, and so is the optional derivative: it
 * takes the inputs, the outputs, and the outputs' cotangents named `d.<output>`, and returns one cotangent for each input, in
 * order.
 */
export function composite<N extends string>(
  name: string,
  inputs: Readonly<Record<N, Tensor>>,
  build: (inputs: Record<N, Tensor>) => Readonly<Record<string, Tensor>>,
  differentiate?: (t: Readonly<Record<string, Tensor>>) => Readonly<Record<N, Tensor>>,
): Record<string, Tensor> {
  const entries = Object.entries<Tensor>(inputs);
  const specs = Object.fromEntries(entries.map(([key, t]) => [key, { shape: t.shape, dtype: t.dtype }]));
  const body: Graph = traceGraph(name, specs as Record<N, TensorSpec>, build);
  const given = body.outputs.map(({ name: port, variable }): [string, TensorSpec] => [port, variable]);
  const cotangents = given.map(([port, spec]): [string, TensorSpec] => [`d.${port}`, spec]);
  const all: Record<string, TensorSpec> = { ...specs, ...Object.fromEntries([...given, ...cotangents]) };
  const derivative = differentiate && traceGraph(`${name}.derivative`, all, differentiate);
  const attrs = { name, body, ...(derivative ? { derivative } : {}) };
  const tensors = entries.map(([, tensor]) => tensor);
  const results = (tensors[0] as Tensor).trace.emit('composite', tensors, attrs);
  return Object.fromEntries(body.outputs.map((port, i) => [port.name, results[i] as Tensor]));
}
