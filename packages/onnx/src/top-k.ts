// TopK as k rounds of ArgMax, for runtimes that run TopK on the CPU. Each round takes the largest remaining entry, the lowest index
// among equals. Entries must exceed the lowest number of their type.

import type { Equation, Var } from '@fkm/core/graph';
import type { Context } from './context.js';
import { TensorProto_DataType } from './generated/onnx_pb.js';

const lowest = { int32: Int32Array.of(-(2 ** 31)), float32: Float32Array.of(Number.NEGATIVE_INFINITY) };

/** (values, indices) of the k largest along the last axis. */
export function topKByRounds(ctx: Context, { attrs, inputs, outputs }: Equation<'topK'>): void {
  const { write } = ctx;
  const [x] = inputs as readonly [Var];
  const [values, indices] = outputs as readonly [Var, Var];
  const size = x.shape[x.shape.length - 1] as number;
  // Not every runtime can search halves.
  const dtype = x.dtype === 'int32' ? 'int32' : 'float32';
  const gone = write.constant({ data: lowest[dtype], shape: [], dtype });
  const places = write.constant({
    data: Int32Array.from({ length: size }, (_, i) => i),
    shape: [size],
    dtype: 'int32',
  });
  let left = x.dtype === dtype ? ctx.name(x) : ctx.cast(ctx.name(x), dtype);
  const found: { peak: string; index: string }[] = [];
  for (let round = 0; round < attrs.k; round++) {
    const peak = reduceMax(ctx, left);
    const wide = write.node('ArgMax', [left], { axis: -1, keepdims: 1 });
    const index = write.node('Cast', [wide], { to: TensorProto_DataType.INT32 });
    found.push({ peak, index });
    if (round + 1 < attrs.k) left = write.node('Where', [write.node('Equal', [index, places]), gone, left]);
  }
  const all = (names: string[]): string => write.node('Concat', names, { axis: -1 });
  const peaks = all(found.map(({ peak }) => peak));
  ctx.alias(values, x.dtype === dtype ? peaks : ctx.cast(peaks, x.dtype));
  ctx.alias(indices, all(found.map(({ index }) => index)));
}

function reduceMax({ opset, write }: Context, x: string): string {
  return opset >= 18
    ? write.node('ReduceMax', [x, write.int64([-1])], { keepdims: 1 })
    : write.node('ReduceMax', [x], { axes: [-1], keepdims: 1 });
}
