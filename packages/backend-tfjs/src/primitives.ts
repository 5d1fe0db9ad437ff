// Elementary operations that are correct on every device despite its quirks: fill, cast, expand, binary, transpose, select. Each
// returns a tensor with its own reference and frees intermediates.

import type { Shape } from '@fkm/core/graph';
import { countOf, type Device } from './device.js';
import type { TfjsDType } from './kernel-types.js';
import {
  type BroadcastLayout,
  broadcastLayout,
  type PermutationLayout,
  permutationLayout,
} from './layout.js';
import type { TensorInfo } from './tfjs.js';

export type Binary = (a: TensorInfo, b: TensorInfo, at?: BroadcastLayout) => TensorInfo;

export interface Primitives {
  readonly device: Device;
  fill(shape: Shape, value: number, dtype: string): TensorInfo;
  cast(x: TensorInfo, dtype: string): TensorInfo;
  /** x repeated to the shape. */
  expand(x: TensorInfo, shape: Shape): TensorInfo;
  /** A tfjs kernel of two operands, with broadcasting. */
  binary(kernel: string): Binary;
  transpose(x: TensorInfo, at: PermutationLayout): TensorInfo;
  /** Swaps the last two axes. */
  swap(x: TensorInfo): TensorInfo;
  /** Selects between operands of any shapes that broadcast to `shape`. */
  select(condition: TensorInfo, x: TensorInfo, y: TensorInfo, shape: Shape): TensorInfo;
}

/** Kernels of tfjs wasm that XNNPACK computes for float32, with broadcasting. */
const arithmetic: ReadonlySet<string> = new Set(['Add', 'Sub', 'Multiply', 'RealDiv']);

export function primitives(device: Device): Primitives {
  const { quirks } = device;
  const [fillKernel, castKernel, tile] = [
    device.kernel('Fill'),
    device.kernel('Cast'),
    device.kernel('Tile'),
  ];
  const [transposeKernel, selectKernel] = [device.kernel('Transpose'), device.kernel('Select')];
  const [multiply, abs] = [device.kernel('Multiply'), device.kernel('Abs')];
  const [less, notEqual] = [device.kernel('Less'), device.kernel('NotEqual')];
  const [and, or, not] = [
    device.kernel('LogicalAnd'),
    device.kernel('LogicalOr'),
    device.kernel('LogicalNot'),
  ];

  const fill: Primitives['fill'] = (shape, value, dtype) =>
    fillKernel({}, { shape: [...shape], value, dtype });

  const cast: Primitives['cast'] = (x, dtype) => {
    if (x.dtype === dtype) return device.share(x);
    const flat = device.view(x, [countOf(x)]);
    const zero = (type: string): TensorInfo => fill([], 0, type);
    const convert = (): TensorInfo => {
      if (dtype === 'bool') {
        if (x.dtype === 'int32') return device.using(zero('int32'), (b) => notEqual({ a: flat, b }));
        // 0 < |x|, since x ≠ 0 would be true for NaN.
        return device.using(abs({ x: flat }), (b) => device.using(zero('float32'), (a) => less({ a, b })));
      }
      const out = castKernel({ x: flat }, { dtype });
      if (!quirks.castAliases || x.dtype !== 'int32') return out;
      return device.using(out, (a) => device.using(fill([], 1, dtype), (b) => multiply({ a, b })));
    };
    return device.view(convert(), x.shape);
  };

  const expand: Primitives['expand'] = (x, shape) => {
    const at = broadcastLayout(x.shape, shape);
    if (at.a.length === at.out.length && at.a.every((dim, i) => dim === at.out[i]))
      return device.share(x, shape);
    if (at.out.length > quirks.maxRank) {
      const own = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
      return tile({ x: device.view(x, own) }, { reps: shape.map((dim, i) => (own[i] === dim ? 1 : dim)) });
    }
    if (x.dtype === 'bool') {
      return device.using(cast(x, 'float32'), (a) =>
        device.using(expand(a, shape), (wide) => cast(wide, 'bool')),
      );
    }
    // x · 1 equals x for every x, including −0, infinities and NaN.
    const out = device.using(fill(at.out, 1, x.dtype), (b) => multiply({ a: device.view(x, at.a), b }));
    return device.view(out, shape);
  };

  const binary: Primitives['binary'] = (name) => {
    const kernel = device.kernel(name);
    return (a, b, at = broadcastLayout(a.shape, b.shape)) => {
      // One merged axis: the operands have equal shapes, or one is a number.
      const fast =
        at.out.length <= 1 || !quirks.slowBroadcast || (a.dtype === 'float32' && arithmetic.has(name));
      const run = (x: TensorInfo, y: TensorInfo): TensorInfo => kernel({ a: x, b: y });
      if (fast && at.out.length <= quirks.maxRank) {
        return device.view(run(device.view(a, at.a), device.view(b, at.b)), at.shape);
      }
      const flat = [at.out.reduce((p, q) => p * q, 1)];
      const out = device.using(expand(a, at.shape), (x) =>
        device.using(expand(b, at.shape), (y) => run(device.view(x, flat), device.view(y, flat))),
      );
      return device.view(out, at.shape);
    };
  };

  const transpose: Primitives['transpose'] = (x, { from, permutation, shape }) => {
    if (permutation.length < 2) return device.share(x, shape);
    return device.view(transposeKernel({ x: device.view(x, from) }, { perm: [...permutation] }), shape);
  };

  const swap: Primitives['swap'] = (x) => {
    const rank = x.shape.length;
    const axes = [...x.shape.keys()];
    return transpose(x, permutationLayout(x.shape, [...axes.slice(0, -2), rank - 1, rank - 2]));
  };

  const select: Primitives['select'] = (condition, x, y, shape) => {
    const flat = [shape.reduce((p, q) => p * q, 1)];
    const wide = <T>(t: TensorInfo, use: (t: TensorInfo) => T): T =>
      device.using(expand(t, shape), (full) => use(device.view(full, flat)));
    const out = wide(condition, (c) =>
      wide(x, (t) =>
        wide(y, (e) => {
          if (x.dtype !== 'bool') return selectKernel({ condition: c, t, e });
          // wasm's Select copies four bytes an element for every dtype.
          return device.using(and({ a: c, b: t }), (a) =>
            device.using(not({ x: c }), (other) =>
              device.using(and({ a: other, b: e }), (b) => or({ a, b })),
            ),
          );
        }),
      ),
    );
    return device.view(out, shape);
  };

  return { device, fill, cast, expand, binary, transpose, swap, select };
}

/** Whether tfjs has this dtype. */
export const isTfjsDType = (dtype: string): dtype is TfjsDType =>
  dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
