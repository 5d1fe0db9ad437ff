// Lowers every op to ONNX nodes, one row an op. Dtypes that a runtime lacks are not handled here. Differences between our ops and
// ONNX (int64 indices, wrapping, integer division) are.

import { BATCH, type Equation, type OpName, type Shape, type Var } from '@fkm/core/graph';
import { groupWidth, maxOfPeaks, twoLevelArgMax } from './arg-max.js';
import type { Context } from './context.js';
import { fused } from './fused.js';
import type { Gemm } from './gemm.js';
import { TensorProto_DataType } from './generated/onnx_pb.js';
import { scatterByProduct } from './scatter.js';
import { topKByRounds } from './top-k.js';
import { elementType } from './writer.js';

/** Appends the nodes of one equation. */
export type LoweringRule<O extends OpName> = (ctx: Context, equation: Equation<O>) => void;

type Plain = (ctx: Context, equation: Equation) => void;

const out = (equation: Equation): Var => equation.outputs[0] as Var;
const operand = (equation: Equation, i: number): Var => equation.inputs[i] as Var;
const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

const direct =
  (opType: string): Plain =>
  (ctx, equation) => {
    ctx.emit(equation, opType, ctx.operands(equation));
  };

const alias: Plain = (ctx, equation) => {
  ctx.alias(out(equation), ctx.name(operand(equation, 0)));
};

/** Ops that may be part of a Gemm: `otherwise` runs if they are not. */
const unlessGemm =
  (otherwise: Plain): Plain =>
  (ctx, equation) => {
    const gemm = ctx.gemms.at.get(equation);
    if (gemm) emitGemm(ctx, gemm);
    else if (!ctx.gemms.absorbed.has(equation)) otherwise(ctx, equation);
  };

function emitGemm(ctx: Context, { product, last, alpha, c }: Gemm): void {
  const { transposeA, transposeB } = product.attrs;
  const inputs = ctx.operands(product);
  if (c) inputs.push(ctx.name(c));
  ctx.emit(last, 'Gemm', inputs, {
    ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
    ...(transposeA ? { transA: 1 } : {}),
    ...(transposeB ? { transB: 1 } : {}),
  });
}

function batchedMatmul(ctx: Context, equation: Equation<'matmul'>): void {
  const turned = (i: number, turn: boolean): string => {
    const v = operand(equation, i);
    const rank = v.shape.length;
    const perm = [...v.shape.keys()].slice(0, -2).concat(rank - 1, rank - 2);
    return turn ? ctx.write.node('Transpose', [ctx.name(v)], { perm }) : ctx.name(v);
  };
  const { transposeA, transposeB } = equation.attrs;
  ctx.emit(equation, 'MatMul', [turned(0, transposeA), turned(1, transposeB)]);
}

/** The shape for Reshape; −1 stands for the batch there too. */
const sizes = (ctx: Context, shape: Shape): string => ctx.write.int64(shape);

const reduce =
  (opType: 'ReduceSum' | 'ReduceMax', axesAsInputSince: number): LoweringRule<'sum' | 'reduceMax'> =>
  (ctx, equation) => {
    const { axes, keepDims } = equation.attrs;
    const x = ctx.name(operand(equation, 0));
    const keepdims = keepDims ? 1 : 0;
    if (axes.length === 0) ctx.alias(out(equation), x);
    else if (ctx.opset >= axesAsInputSince)
      ctx.emit(equation, opType, [x, ctx.write.int64(axes)], { keepdims });
    else ctx.emit(equation, opType, [x], { axes, keepdims });
  };

/** ONNX leaves x / 0 undefined for integers, and processors trap; the reference gives 0. */
const divide: Plain = (ctx, equation) => {
  const [x, y] = ctx.operands(equation) as [string, string];
  if (out(equation).dtype !== 'int32') return ctx.emit(equation, 'Div', [x, y]);
  const { write } = ctx;
  const scalar = (value: number): string =>
    write.constant({ data: Int32Array.of(value), shape: [], dtype: 'int32' });
  const zero = scalar(0);
  const none = write.node('Equal', [y, zero]);
  const quotient = write.node('Div', [x, write.node('Where', [none, scalar(1), y])]);
  ctx.emit(equation, 'Where', [none, zero, quotient]);
};

/** Width of the groups in which an argMax searches the last axis; null for a plain search. */
const searchWidth = ({ dtype, shape }: Var): number | null =>
  dtype === 'float32' ? groupWidth(shape[shape.length - 1] as number) : null;

const argMax: LoweringRule<'argMax'> = (ctx, equation) => {
  const x = operand(equation, 0);
  const { axis } = equation.attrs;
  const width = axis === x.shape.length - 1 ? searchWidth(x) : null;
  if (width !== null) return twoLevelArgMax(ctx, ctx.name(x), x.shape, out(equation), width);
  const index = ctx.write.node('ArgMax', [ctx.name(x)], { axis, keepdims: 0 });
  ctx.emit(equation, 'Cast', [index], { to: TensorProto_DataType.INT32 });
};

const topK: LoweringRule<'topK'> = (ctx, equation) => {
  if (ctx.topK === 'argMax') return topKByRounds(ctx, equation);
  const [values, indices] = equation.outputs as readonly [Var, Var];
  const wide = ctx.write.fresh('TopK');
  const inputs = [ctx.name(operand(equation, 0)), ctx.write.int64([equation.attrs.k])];
  ctx.write.nodeOf('TopK', inputs, { axis: -1, largest: 1, sorted: 1 }, [ctx.result(values, 'TopK'), wide]);
  ctx.write.node('Cast', [wide], { to: TensorProto_DataType.INT32 }, ctx.result(indices, 'Cast'));
};

const broadcast: LoweringRule<'broadcast'> = (ctx, equation) => {
  const { shape } = equation.attrs;
  const [x, like] = equation.inputs as readonly [Var, Var | undefined];
  const rows = shape.indexOf(BATCH);
  const bound = rows < 0 || x.shape[x.shape.length - shape.length + rows] === BATCH;
  // Expand broadcasts both ways, so a 1 keeps the batch size of x.
  const wanted =
    bound || !like
      ? ctx.write.int64(shape.map((dim) => (dim === BATCH ? 1 : dim)))
      : ctx.write.node('Shape', [ctx.name(like)]);
  ctx.emit(equation, 'Expand', [ctx.name(x), wanted]);
};

/** ONNX wraps negative indices in OneHot. Comparing indices with 0 … depth − 1 instead gives zeros for all indices out of range. */
const oneHot: LoweringRule<'oneHot'> = (ctx, equation) => {
  const { depth, dtype } = equation.attrs;
  const indices = operand(equation, 0);
  const column = ctx.write.node('Reshape', [ctx.name(indices), sizes(ctx, [...indices.shape, 1])]);
  const places = ctx.write.constant({
    data: Int32Array.from({ length: depth }, (_, i) => i),
    shape: [depth],
    dtype: 'int32',
  });
  if (dtype === 'bool') return ctx.emit(equation, 'Equal', [column, places]);
  const hits = ctx.write.node('Equal', [column, places]);
  ctx.emit(equation, 'Cast', [hits], { to: elementType[dtype] });
};

/**
 * ScatterElements, with the row number repeated along the row. ScatterND would take row numbers directly, but onnxruntime 1.30 adds
 * its rows from several threads without a lock: in large batches, repeated indices silently lose addends.
 */
const scatter: LoweringRule<'scatter'> = (ctx, equation) => {
  const [x, indices, updates] = ctx.operands(equation) as [string, string, string];
  const { write } = ctx;
  const { dtype, shape } = out(equation);
  if (ctx.scatter === 'product' && dtype === 'float32') return scatterByProduct(ctx, equation);
  const row = shape.slice(1);
  const alongRows = (): string => {
    const column = write.node('Reshape', [indices, write.int64([-1, ...row.map(() => 1)])]);
    const full = row.includes(BATCH) ? write.node('Shape', [updates]) : write.int64([1, ...row]);
    return write.node('Expand', [column, full]);
  };
  const places = row.length === 0 ? indices : alongRows();
  const attributes = { axis: 0, reduction: 'add' };
  if (dtype === 'float32' || dtype === 'int32')
    return ctx.emit(equation, 'ScatterElements', [x, places, updates], attributes);
  // Halves are summed in float32: not every runtime adds them, and long sums need the precision.
  const inputs = [ctx.cast(x, 'float32'), places, ctx.cast(updates, 'float32')];
  ctx.emit(equation, 'Cast', [write.node('ScatterElements', inputs, attributes)], { to: elementType[dtype] });
};

/** Runtimes select only between numbers; for bools, c ? a : b is (c ∧ a) ∨ (¬c ∧ b). */
const select: Plain = (ctx, equation) => {
  const [c, a, b] = ctx.operands(equation) as [string, string, string];
  if (out(equation).dtype !== 'bool') return ctx.emit(equation, 'Where', [c, a, b]);
  const { write } = ctx;
  const otherwise = write.node('And', [write.node('Not', [c]), b]);
  ctx.emit(equation, 'Or', [write.node('And', [c, a]), otherwise]);
};

/** Looks up a number in a stored table. Not by Gather, since onnxruntime's quantize_dynamic would round its table to 8 bits. */
function lookUp(ctx: Context, equation: Equation<'gather'>, table: string, index: string): void {
  let place = ctx.places.get(index);
  if (place === undefined) {
    const wide = ctx.write.node('Cast', [index], { to: TensorProto_DataType.INT64 });
    place = ctx.write.node('Reshape', [wide, sizes(ctx, [...operand(equation, 1).shape, 1])]);
    ctx.places.set(index, place);
  }
  ctx.emit(equation, 'GatherND', [table, place]);
}

/** The lowering of each op. */
export const lowering: { [O in OpName]: LoweringRule<O> } = {
  constant: (ctx, equation) => {
    ctx.alias(out(equation), ctx.write.constant(equation.attrs.value));
  },
  add: unlessGemm(direct('Add')),
  sub: unlessGemm(direct('Sub')),
  mul: unlessGemm(direct('Mul')),
  div: divide,
  neg: unlessGemm(direct('Neg')),
  exp: direct('Exp'),
  log: direct('Log'),
  sqrt: direct('Sqrt'),
  abs: direct('Abs'),
  max: direct('Max'),
  min: direct('Min'),
  eq: direct('Equal'),
  lt: direct('Less'),
  and: direct('And'),
  not: direct('Not'),
  select,
  cast: (ctx, equation) => {
    if (operand(equation, 0).dtype === equation.attrs.dtype) alias(ctx, equation);
    else ctx.emit(equation, 'Cast', ctx.operands(equation), { to: elementType[equation.attrs.dtype] });
  },
  matmul: (ctx, equation) => {
    unlessGemm((context) => batchedMatmul(context, equation))(ctx, equation);
  },
  sum: reduce('ReduceSum', 13),
  reduceMax: (ctx, equation) => {
    const x = operand(equation, 0);
    const { axes } = equation.attrs;
    const last = axes.length === 1 && axes[0] === x.shape.length - 1;
    const width = last && ctx.searched.has(x.id) ? searchWidth(x) : null;
    if (width !== null) maxOfPeaks(ctx, ctx.name(x), x.shape, out(equation), width);
    else reduce('ReduceMax', 18)(ctx, equation);
  },
  argMax,
  topK,
  reshape: (ctx, equation) => {
    const x = operand(equation, 0);
    if (sameShape(x.shape, equation.attrs.shape)) alias(ctx, equation);
    else ctx.emit(equation, 'Reshape', [ctx.name(x), sizes(ctx, equation.attrs.shape)]);
  },
  transpose: (ctx, equation) => {
    ctx.emit(equation, 'Transpose', ctx.operands(equation), { perm: equation.attrs.permutation });
  },
  broadcast,
  concat: (ctx, equation) => {
    ctx.emit(equation, 'Concat', ctx.operands(equation), { axis: equation.attrs.axis });
  },
  slice: (ctx, equation) => {
    const { axis, begin, end } = equation.attrs;
    const bounds = [begin, end, axis].map((value) => ctx.write.int64([value]));
    ctx.emit(equation, 'Slice', [ctx.name(operand(equation, 0)), ...bounds]);
  },
  gather: (ctx, equation) => {
    const [x, index] = ctx.operands(equation) as [string, string];
    const { dtype, shape } = operand(equation, 0);
    if (dtype === 'float32' && shape.length === 1 && ctx.write.holds(x)) lookUp(ctx, equation, x, index);
    else ctx.emit(equation, 'Gather', [x, index], { axis: equation.attrs.axis });
  },
  scatter,
  oneHot,
  iota: (ctx, equation) => {
    const { length } = equation.attrs;
    const data = Int32Array.from({ length }, (_, i) => i);
    ctx.alias(out(equation), ctx.write.constant({ data, shape: [length], dtype: 'int32' }));
  },
  stopGradient: alias,
  composite: (ctx, equation) => {
    // Other composites were inlined before.
    fused[equation.attrs.name]?.(ctx, equation);
  },
};

/** Applies the rule of an equation. */
export function lower(ctx: Context, equation: Equation): void {
  (lowering[equation.op] as LoweringRule<OpName>)(ctx, equation);
}
