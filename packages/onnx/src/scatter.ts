// Scatter-add as one product, for runtimes that add with atomics, whose sums depend on the order of threads.

import { BATCH, type Equation, type Var } from '@fkm/core/graph';
import type { Context } from './context.js';
import { TensorProto_DataType } from './generated/onnx_pb.js';

/**
 * scatter(x [K, …], indices [N], updates [N, …]) = x + Hᵀ·updates, where H [N, K] is 1 if indices[i] = k, else 0. For float32 only.
 * Updates must be finite: 0·∞ would reach every row.
 */
export function scatterByProduct(ctx: Context, equation: Equation<'scatter'>): void {
  const { write } = ctx;
  const [x, indices, updates] = ctx.operands(equation) as [string, string, string];
  const { shape } = equation.outputs[0] as Var;
  const column = write.node('Reshape', [indices, write.int64([-1, 1])]);
  const found = write.node('Equal', [column, placesOf(ctx, shape[0] as number, x)]);
  const hits = write.node('Cast', [found], { to: TensorProto_DataType.FLOAT });
  const matrix = (name: string): string =>
    shape.length === 2
      ? name
      : write.node('Reshape', [name, write.int64(shape.length === 1 ? [-1, 1] : [0, -1])]);
  const product = { transA: 1 };
  const operands = [hits, matrix(updates), matrix(x)];
  if (shape.length === 2) ctx.emit(equation, 'Gemm', operands, product);
  else {
    const wanted = shape.includes(BATCH) ? write.node('Shape', [x]) : write.int64(shape);
    ctx.emit(equation, 'Reshape', [write.node('Gemm', operands, product), wanted]);
  }
}

/** 0, 1, … as int32, one for each row of x. */
function placesOf({ write }: Context, rows: number, x: string): string {
  const int32 = (data: Int32Array, shape: number[]): string =>
    write.constant({ data, shape, dtype: 'int32' });
  if (rows !== BATCH)
    return int32(
      Int32Array.from({ length: rows }, (_, k) => k),
      [rows],
    );
  const number = (value: number): string => int32(Int32Array.of(value), []);
  const count = write.node('Gather', [write.node('Shape', [x]), number(0)], { axis: 0 });
  const limit = write.node('Cast', [count], { to: TensorProto_DataType.INT32 });
  return write.node('Range', [number(0), limit, number(1)]);
}
