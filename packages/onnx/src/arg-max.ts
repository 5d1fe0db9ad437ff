// ArgMax over a wide last axis in two levels, since runtimes reduce with vector instructions but search one element at a time:
//   m[g] = max_j x[g, j];  g* = argMax m;  j* = argMax x[g*, ·];  index = g* · width + j*
// Groups are contiguous and both searches take the first of equals, so ties go to the lowest index, as in a single search.

import type { Shape, Var } from '@fkm/core/graph';
import type { Context, Peaks } from './context.js';
import { TensorProto_DataType } from './generated/onnx_pb.js';

/** Below this width, the three extra nodes cost more than they save. */
const narrowest = 64;
/** Good widths of a group: a few vector registers, and few groups to search. */
const widths = { least: 8, best: 32, most: 64 } as const;

/** The divisor of `size` nearest to the best width on a log scale, or null. */
export function groupWidth(size: number): number | null {
  if (size < narrowest) return null;
  let chosen: number | null = null;
  const distance = (width: number): number => Math.abs(Math.log(width / widths.best));
  for (let width = widths.least; width <= Math.min(widths.most, size / 4); width++) {
    if (size % width === 0 && (chosen === null || distance(width) < distance(chosen))) chosen = width;
  }
  return chosen;
}

/** Index of the largest along the last axis, int32, of the shape of `output`. */
export function twoLevelArgMax(ctx: Context, x: string, shape: Shape, output: Var, width: number): void {
  const { write } = ctx;
  const int32 = { to: TensorProto_DataType.INT32 };
  const { groups, peaks } = peaksOf(ctx, x, shape, width);
  const group = write.node('ArgMax', [peaks], { axis: 1, keepdims: 1 });
  const winner = write.node('GatherND', [groups, group], { batch_dims: 1 });
  const within = write.node('ArgMax', [winner], { axis: 1, keepdims: 0 });
  // In int32, which every provider can add; ArgMax and GatherND use int64. Flattened, since runtimes walk a last axis of size 1 one
  // by one.
  const flat = write.node('Reshape', [group, write.int64([-1])]);
  const base = write.node('Mul', [
    write.node('Cast', [flat], int32),
    write.constant({ data: Int32Array.of(width), shape: [], dtype: 'int32' }),
  ]);
  const index = write.node('Add', [base, write.node('Cast', [within], int32)]);
  write.node('Reshape', [index, write.int64(output.shape)], {}, ctx.result(output, 'ArgMax'));
}

/** The maximum along the last axis, in the shape of `output`, from group maxima that an argMax of x needs as well. */
export function maxOfPeaks(ctx: Context, x: string, shape: Shape, output: Var, width: number): void {
  const { write } = ctx;
  const max = reduceLast(ctx, peaksOf(ctx, x, shape, width).peaks, 1);
  write.node('Reshape', [max, write.int64(output.shape)], {}, ctx.result(output, 'ReduceMax'));
}

/** x in groups [-1, G, width], and the maximum of each [-1, G]; computed once for all users. */
function peaksOf(ctx: Context, x: string, shape: Shape, width: number): Peaks {
  const size = shape[shape.length - 1] as number;
  let found = ctx.peaks.get(x);
  if (!found) {
    const groups = ctx.write.node('Reshape', [x, ctx.write.int64([-1, size / width, width])]);
    found = { groups, peaks: reduceLast(ctx, groups, 2) };
    ctx.peaks.set(x, found);
  }
  return found;
}

function reduceLast(ctx: Context, x: string, axis: number): string {
  const { write } = ctx;
  return ctx.opset >= 18
    ? write.node('ReduceMax', [x, write.int64([axis])], { keepdims: 0 })
    : write.node('ReduceMax', [x], { axes: [axis], keepdims: 0 });
}
