// Lowerings of ops that move, select and count elements.

import { sizeOf } from '@fkm/core/graph';
import { countOf } from './device.js';
import { around, bindShape, permutationLayout, perRows } from './layout.js';
import { type Context, input, type Lowered, type Lowering, numberOf, output } from './lower.js';
import { reduceLayout } from './reduce.js';
import type { TensorInfo } from './tfjs.js';

/** The reduction of `equation` over `axes` by a function of a tensor and its layout. */
export function reduced(
  equation: Parameters<Lowering<'sum' | 'reduceMax' | 'argMax'>>[0],
  axes: readonly number[],
  run: (x: TensorInfo, at: ReturnType<typeof reduceLayout>) => TensorInfo,
): Lowered {
  const [from, to] = [input(equation, 0).shape, output(equation).shape];
  const sorted = [...axes].sort((a, b) => a - b);
  const layout = perRows([from, to], (rows) =>
    reduceLayout(bindShape(from, rows), sorted, bindShape(to, rows)),
  );
  return ([x], rows) => [run(x as TensorInfo, layout(rows))];
}

/** The elements in the shape of the output. */
export const reshape = (equation: Parameters<Lowering<'reshape'>>[0], { primitives }: Context): Lowered => {
  const { shape } = output(equation);
  const bound = perRows([shape], (rows) => bindShape(shape, rows));
  return ([x], rows) => [primitives.device.share(x as TensorInfo, bound(rows))];
};

export const transpose: Lowering<'transpose'> = (equation, { primitives }) => {
  const { shape } = input(equation, 0);
  const layout = perRows([shape], (rows) =>
    permutationLayout(bindShape(shape, rows), equation.attrs.permutation),
  );
  return ([x], rows) => [primitives.transpose(x as TensorInfo, layout(rows))];
};

export const broadcast: Lowering<'broadcast'> = (equation, { primitives, constants }) => {
  const { shape, dtype } = output(equation);
  const bound = perRows([shape], (rows) => bindShape(shape, rows));
  const number = numberOf(constants[0]);
  if (number !== undefined) return (_, rows) => [primitives.fill(bound(rows), number, dtype)];
  return ([x], rows) => [primitives.expand(x as TensorInfo, bound(rows))];
};

/** Both move contiguous blocks: as matrices [axes before, the axis and those after it]. */
export const concat: Lowering<'concat'> = (equation, { primitives: { device } }) => {
  const { axis } = equation.attrs;
  const kernel = device.kernel('Concat');
  const { shape } = output(equation);
  const bound = perRows([shape], (rows) => bindShape(shape, rows));
  return (x, rows) => {
    const wanted = bound(rows);
    const [outer] = around(wanted, axis);
    const parts = x.map((part) => device.view(part, [outer, countOf(part) / outer]));
    return [device.view(kernel(parts, { axis: 1 }), wanted)];
  };
};

export const slice: Lowering<'slice'> = (equation, { primitives: { device } }) => {
  const { axis, begin, end } = equation.attrs;
  const kernel = device.kernel('Slice');
  return ([x]) => {
    const { shape } = x as TensorInfo;
    const [outer, size, inner] = around(shape, axis);
    const part = kernel(
      { x: device.view(x as TensorInfo, [outer, size * inner]) },
      { begin: [0, begin * inner], size: [outer, (end - begin) * inner] },
    );
    return [
      device.view(
        part,
        shape.map((dim, i) => (i === axis ? end - begin : dim)),
      ),
    ];
  };
};

export const gather: Lowering<'gather'> = (equation, { primitives: { device } }) => {
  const { axis } = equation.attrs;
  const kernel = device.kernel('GatherV2');
  const { shape } = output(equation);
  const bound = perRows([shape], (rows) => bindShape(shape, rows));
  return ([x, indices], rows) => {
    const flat = device.view(indices as TensorInfo, [countOf(indices as TensorInfo)]);
    const stack = device.view(x as TensorInfo, around((x as TensorInfo).shape, axis));
    return [device.view(kernel({ x: stack, indices: flat }, { axis: 1, batchDims: 0 }), bound(rows))];
  };
};

/** x + ScatterNd(updates), which adds repeated indices one by one, in order. */
export const scatter: Lowering<'scatter'> = (_, { primitives, constants }) => {
  const { device } = primitives;
  const kernel = device.kernel('ScatterNd');
  const add = primitives.binary('Add');
  const ontoZeros = numberOf(constants[0]) === 0;
  return ([x, indices, updates]) => {
    const { shape } = x as TensorInfo;
    const [rows, count] = [shape[0] as number, countOf(indices as TensorInfo)];
    const width = sizeOf(shape) / rows;
    const sums = device.view(
      kernel(
        {
          indices: device.view(indices as TensorInfo, [count, 1]),
          updates: device.view(updates as TensorInfo, [count, width]),
        },
        { shape: [rows, width] },
      ),
      shape,
    );
    return [ontoZeros ? sums : device.using(sums, (s) => add(x as TensorInfo, s))];
  };
};

/** Computed as int32 for every dtype, since wasm's kernel writes integers. */
export const oneHot: Lowering<'oneHot'> = (equation, { primitives }) => {
  const { device } = primitives;
  const kernel = device.kernel('OneHot');
  const { depth, dtype } = equation.attrs;
  const attrs = { dtype: 'int32', depth, onValue: 1, offValue: 0 };
  return ([x]) => {
    const { shape } = x as TensorInfo;
    const flat = device.view(x as TensorInfo, [countOf(x as TensorInfo)]);
    const wide = device.using(kernel({ indices: flat }, attrs), (hot) => primitives.cast(hot, dtype));
    return [device.view(wide, [...shape, depth])];
  };
};

export const topK: Lowering<'topK'> = (equation, { primitives: { device } }) => {
  const { k } = equation.attrs;
  const [kernel, cut] = [device.kernels('TopK'), device.kernel('Slice')];
  const size = input(equation, 0).shape.at(-1) as number;
  const sorted = device.quirks.topKLosesTies ? size : k;
  return ([x]) => {
    const { shape } = x as TensorInfo;
    const outer = sizeOf(shape) / size;
    const wanted = [...shape.slice(0, -1), k];
    const found = kernel({ x: device.view(x as TensorInfo, [outer, size]) }, { k: sorted, sorted: true });
    if (sorted === k) return found.map((part) => device.view(part, wanted));
    return found.map((part) =>
      device.view(
        device.using(part, (all) => cut({ x: all }, { begin: [0, 0], size: [outer, k] })),
        wanted,
      ),
    );
  };
};
