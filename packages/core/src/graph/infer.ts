// Shape and dtype inference: one row an op. The same table builds graphs and verifies them.

import { type DType, isFloat, type Shape, sizeOf } from '../dtype.js';
import { GraphError, isFkmError, ShapeError } from '../errors.js';
import { BATCH, type OpAttrs, type OpName, type Var } from './ir.js';

export interface ResultType {
  readonly shape: Shape;
  readonly dtype: DType;
}

type InferRule<O extends OpName> = (inputs: readonly Var[], attrs: OpAttrs[O]) => ResultType[];

export const formatShape = (shape: Shape): string =>
  `[${shape.map((d) => (d === BATCH ? 'B' : d)).join(',')}]`;
export const formatType = (v: ResultType): string => `${v.dtype}${formatShape(v.shape)}`;

/** The common shape of two operands under numpy's broadcasting. Errors: ShapeError. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(`shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast.`, { a, b });
    }
    out[i] = x === 1 ? y : x;
  }
  return out;
}

const isNumeric = (dtype: DType): boolean => dtype !== 'bool';
const input = (inputs: readonly Var[], i: number): Var => {
  const v = inputs[i];
  if (v === undefined) throw new GraphError(`operand ${i} is missing.`);
  return v;
};

function expectDtype(v: Var, allowed: (dtype: DType) => boolean, wanted: string): void {
  if (!allowed(v.dtype))
    throw new GraphError(`wants ${wanted} operands, got ${v.dtype}; write cast(x, dtype).`);
}

function sameDtype(a: Var, b: Var): DType {
  if (a.dtype !== b.dtype) {
    throw new GraphError(`operands are ${a.dtype} and ${b.dtype}; write cast(x, dtype) on one of them.`);
  }
  return a.dtype;
}

function expectSize(size: number, what: string): void {
  if (!Number.isInteger(size) || size < 0) {
    throw new ShapeError(`${what} = ${size} should be a whole number, 0 or more.`, { [what]: size });
  }
}

function expectAxis(axis: number, rank: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
    throw new ShapeError(`axis ${axis} does not exist in a tensor of rank ${rank}.`, { axis, rank });
  }
}

const arithmetic = (inputs: readonly Var[]): ResultType[] => {
  const [a, b] = [input(inputs, 0), input(inputs, 1)];
  expectDtype(a, isNumeric, 'numeric');
  return [{ shape: broadcastShapes(a.shape, b.shape), dtype: sameDtype(a, b) }];
};
const comparison = (inputs: readonly Var[]): ResultType[] => [
  { shape: (arithmetic(inputs)[0] as ResultType).shape, dtype: 'bool' },
];
const unary =
  (allowed: (dtype: DType) => boolean, wanted: string) =>
  (inputs: readonly Var[]): ResultType[] => {
    const x = input(inputs, 0);
    expectDtype(x, allowed, wanted);
    return [{ shape: x.shape, dtype: x.dtype }];
  };
const numeric = unary(isNumeric, 'numeric');
const floating = unary(isFloat, 'floating');

const reduce = (inputs: readonly Var[], attrs: OpAttrs['sum']): ResultType[] => {
  const x = input(inputs, 0);
  expectDtype(x, isNumeric, 'numeric');
  for (const axis of attrs.axes) expectAxis(axis, x.shape.length);
  const shape = x.shape.flatMap((dim, i) => (attrs.axes.includes(i) ? (attrs.keepDims ? [1] : []) : [dim]));
  return [{ shape, dtype: x.dtype }];
};

/** The output types of each op for operands of these types. Errors: GraphError, ShapeError. */
export const infer: { [O in OpName]: InferRule<O> } = {
  constant: (_, { value }) => {
    if (value.shape.includes(BATCH)) throw new ShapeError('a constant has a concrete shape.');
    return [{ shape: value.shape, dtype: value.dtype }];
  },
  add: arithmetic,
  sub: arithmetic,
  mul: arithmetic,
  div: arithmetic,
  neg: numeric,
  exp: floating,
  log: floating,
  sqrt: floating,
  abs: numeric,
  max: arithmetic,
  min: arithmetic,
  eq: comparison,
  lt: comparison,
  and: (inputs) => {
    const [a, b] = [input(inputs, 0), input(inputs, 1)];
    for (const v of [a, b]) expectDtype(v, (d) => d === 'bool', 'bool');
    return [{ shape: broadcastShapes(a.shape, b.shape), dtype: 'bool' }];
  },
  not: unary((d) => d === 'bool', 'bool'),
  select: (inputs) => {
    const [condition, a, b] = [input(inputs, 0), input(inputs, 1), input(inputs, 2)];
    expectDtype(condition, (d) => d === 'bool', 'a bool condition; other');
    const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape));
    return [{ shape, dtype: sameDtype(a, b) }];
  },
  cast: (inputs, { dtype }) => [{ shape: input(inputs, 0).shape, dtype }],
  matmul: (inputs, { transposeA, transposeB }) => {
    const [a, b] = [input(inputs, 0), input(inputs, 1)];
    expectDtype(a, isFloat, 'floating');
    const [ra, rb] = [a.shape.length, b.shape.length];
    if (ra < 2 || rb < 2)
      throw new ShapeError('matmul wants operands of rank 2 or more.', { a: a.shape, b: b.shape });
    const [m, k] = transposeA ? [a.shape[ra - 1], a.shape[ra - 2]] : [a.shape[ra - 2], a.shape[ra - 1]];
    const [k2, n] = transposeB ? [b.shape[rb - 1], b.shape[rb - 2]] : [b.shape[rb - 2], b.shape[rb - 1]];
    if (k !== k2) {
      throw new ShapeError(`inner sizes differ: ${formatShape(a.shape)} and ${formatShape(b.shape)}.`, {
        a: a.shape,
        b: b.shape,
      });
    }
    const lead = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return [{ shape: [...lead, m as number, n as number], dtype: sameDtype(a, b) }];
  },
  sum: reduce,
  reduceMax: reduce,
  argMax: (inputs, { axis }) => {
    const x = input(inputs, 0);
    expectDtype(x, isNumeric, 'numeric');
    expectAxis(axis, x.shape.length);
    return [{ shape: x.shape.filter((_, i) => i !== axis), dtype: 'int32' }];
  },
  topK: (inputs, { k }) => {
    const x = input(inputs, 0);
    expectDtype(x, isNumeric, 'numeric');
    const last = x.shape[x.shape.length - 1];
    if (last === undefined || last === BATCH || !Number.isInteger(k) || k < 1 || k > last) {
      throw new ShapeError(`topK: k = ${k} is outside of 1..${last} in ${formatShape(x.shape)}.`, {
        k,
        last,
      });
    }
    const shape = [...x.shape.slice(0, -1), k];
    return [
      { shape, dtype: x.dtype },
      { shape, dtype: 'int32' },
    ];
  },
  reshape: (inputs, { shape }) => {
    const x = input(inputs, 0);
    const batches = (s: Shape): number => s.filter((d) => d === BATCH).length;
    for (const dim of shape) if (dim !== BATCH) expectSize(dim, 'dim');
    // The batch axis counts as −1 on both sides, so equal products mean equal products of the concrete axes.
    if (batches(x.shape) !== batches(shape) || batches(shape) > 1 || sizeOf(x.shape) !== sizeOf(shape)) {
      throw new ShapeError(`cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)}.`, {
        from: x.shape,
        shape,
      });
    }
    return [{ shape, dtype: x.dtype }];
  },
  transpose: (inputs, { permutation }) => {
    const x = input(inputs, 0);
    const sorted = [...permutation].sort((a, b) => a - b);
    if (sorted.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new ShapeError(`[${permutation}] is no permutation of the axes of ${formatShape(x.shape)}.`);
    }
    return [{ shape: permutation.map((axis) => x.shape[axis] as number), dtype: x.dtype }];
  },
  broadcast: (inputs, { shape }) => {
    const x = input(inputs, 0);
    const like = inputs[1];
    const common = broadcastShapes(x.shape, shape);
    if (common.some((dim, i) => dim !== shape[i])) {
      throw new ShapeError(`cannot broadcast ${formatShape(x.shape)} to ${formatShape(shape)}.`);
    }
    const rows = shape.indexOf(BATCH);
    const bound = rows < 0 || x.shape[x.shape.length - shape.length + rows] === BATCH;
    if (!bound && (like === undefined || formatShape(like.shape) !== formatShape(shape))) {
      throw new ShapeError(
        `broadcast to ${formatShape(shape)} needs a second operand of that shape for its rows.`,
      );
    }
    return [{ shape, dtype: x.dtype }];
  },
  concat: (inputs, { axis }) => {
    const first = input(inputs, 0);
    expectAxis(axis, first.shape.length);
    let total = 0;
    for (const x of inputs) {
      sameDtype(first, x);
      const fits =
        x.shape.length === first.shape.length && x.shape.every((d, i) => i === axis || d === first.shape[i]);
      if (!fits || x.shape[axis] === BATCH) {
        throw new ShapeError(
          `cannot concat ${formatShape(x.shape)} to ${formatShape(first.shape)} on axis ${axis}.`,
        );
      }
      total += x.shape[axis] as number;
    }
    return [{ shape: first.shape.map((d, i) => (i === axis ? total : d)), dtype: first.dtype }];
  },
  slice: (inputs, { axis, begin, end }) => {
    const x = input(inputs, 0);
    expectAxis(axis, x.shape.length);
    const dim = x.shape[axis] as number;
    const whole = Number.isInteger(begin) && Number.isInteger(end);
    if (!whole || dim === BATCH || begin < 0 || end < begin || end > dim) {
      throw new ShapeError(`slice ${begin}:${end} does not fit axis ${axis} of ${formatShape(x.shape)}.`);
    }
    return [{ shape: x.shape.map((d, i) => (i === axis ? end - begin : d)), dtype: x.dtype }];
  },
  gather: (inputs, { axis }) => {
    const [x, indices] = [input(inputs, 0), input(inputs, 1)];
    expectAxis(axis, x.shape.length);
    expectDtype(indices, (d) => d === 'int32', 'int32 indices; other');
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    if (shape.filter((d) => d === BATCH).length > 1) {
      throw new ShapeError('gather: only one of rows and indices can have the batch axis.');
    }
    return [{ shape, dtype: x.dtype }];
  },
  scatter: (inputs) => {
    const [x, indices, updates] = [input(inputs, 0), input(inputs, 1), input(inputs, 2)];
    expectDtype(indices, (d) => d === 'int32', 'int32 indices; other');
    expectDtype(x, isNumeric, 'numeric');
    const wanted = [...indices.shape, ...x.shape.slice(1)];
    if (indices.shape.length !== 1 || formatShape(wanted) !== formatShape(updates.shape)) {
      throw new ShapeError(
        `scatter: updates ${formatShape(updates.shape)} should be ${formatShape(wanted)} for indices of rank 1.`,
      );
    }
    return [{ shape: x.shape, dtype: sameDtype(x, updates) }];
  },
  oneHot: (inputs, { depth, dtype }) => {
    const indices = input(inputs, 0);
    expectDtype(indices, (d) => d === 'int32', 'int32');
    expectSize(depth, 'depth');
    return [{ shape: [...indices.shape, depth], dtype }];
  },
  iota: (_, { length }) => {
    expectSize(length, 'length');
    return [{ shape: [length], dtype: 'int32' }];
  },
  stopGradient: (inputs) => [{ shape: input(inputs, 0).shape, dtype: input(inputs, 0).dtype }],
  composite: (inputs, { name, body }) => {
    const fits =
      inputs.length === body.inputs.length &&
      inputs.every(
        (v, i) => formatType(v) === formatType((body.inputs[i] as (typeof body.inputs)[0]).variable),
      );
    if (!fits) {
      const wanted = body.inputs.map((port) => `${port.name}: ${formatType(port.variable)}`).join(', ');
      throw new GraphError(`${name} wants (${wanted}), got (${inputs.map(formatType).join(', ')}).`);
    }
    return body.outputs.map((port) => ({ shape: port.variable.shape, dtype: port.variable.dtype }));
  },
};

/** Types of the outputs of `op`; errors name the op and its operands. */
export function inferTypes<O extends OpName>(op: O, inputs: readonly Var[], attrs: OpAttrs[O]): ResultType[] {
  try {
    if (!(op in infer)) throw new GraphError('there is no such op.');
    return (infer[op] as unknown as InferRule<O>)(inputs, attrs);
  } catch (error) {
    if (error instanceof Error) {
      const operands = inputs.map(formatType).join(', ');
      const message = error.message.replace(/^\[fkm\/core\] /, '').replace(new RegExp(`^${op}:? `), '');
      const Kind = isFkmError(error) && error.kind === 'shape' ? ShapeError : GraphError;
      throw new Kind(`${op}(${operands}): ${message}`, { op, shapes: inputs.map((v) => v.shape) });
    }
    throw error;
  }
}
