// Reductions over any axes, as reductions over the last axis of a matrix: reduced axes are moved to the end first.

import type { Shape } from '@fkm/core/graph';
import { type PermutationLayout, permutationLayout } from './layout.js';
import { product } from './matmul.js';
import type { Primitives } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

/** The positions of the reduced axes of x, and the shape of the result. */
export interface ReduceLayout {
  /** Null if the reduced axes are already the last ones. */
  readonly move: PermutationLayout | null;
  readonly kept: number;
  /** Sizes of the reduced axes in order, without axes of size 1. */
  readonly reduced: readonly number[];
  /** Sizes before, on and after the reduced axes, if these are contiguous. */
  readonly block: readonly [number, number, number] | null;
  readonly shape: readonly number[];
}

export function reduceLayout(x: Shape, axes: readonly number[], shape: readonly number[]): ReduceLayout {
  const present = (axis: number): boolean => x[axis] !== 1;
  const all = [...x.keys()];
  const rest = all.filter((axis) => !axes.includes(axis));
  const order = [...rest, ...axes];
  const inPlace = order.filter(present).every((axis, i, list) => i === 0 || axis > (list[i - 1] as number));
  const own = axes.filter(present);
  const [first, last] = [own[0] ?? 0, own[own.length - 1] ?? 0];
  const together = rest.filter(present).every((axis) => axis < first || axis > last);
  const sizes = (list: readonly number[]): number[] => list.map((axis) => x[axis] as number);
  return {
    move: inPlace ? null : permutationLayout(x, order),
    kept: total(sizes(rest)),
    reduced: sizes(own),
    block: together ? [total(x.slice(0, first)), total(sizes(own)), total(x.slice(last + 1))] : null,
    shape,
  };
}

const total = (sizes: Shape): number => sizes.reduce((p, q) => p * q, 1);

type Reduction = (x: TensorInfo, at: ReduceLayout) => TensorInfo;

/** A kernel over the last axis, applied to all reduced axes at once. */
export function reduction({ device, transpose }: Primitives, name: string, attribute: string): Reduction {
  const kernel = device.kernel(name);
  const attrs = { [attribute]: 1, keepDims: false };
  return (x, { move, kept, reduced, shape }) => {
    const inner = total(reduced);
    const run = (t: TensorInfo): TensorInfo =>
      device.view(kernel({ x: device.view(t, [kept, inner]) }, attrs), shape);
    return move ? device.using(transpose(x, move), run) : run(x);
  };
}

/**
 * The sum. Over inner axes it is a product with ones, which needs no transpose. Otherwise axes are summed one after the other: wasm
 * adds in float32 one by one, and a sum of sums rounds less.
 */
export function summation(p: Primitives): Reduction {
  const { device, transpose } = p;
  const kernel = device.kernel('Sum');
  const multiply = product(p);
  const attrs = { axis: 1, keepDims: false };
  return (x, { move, kept, reduced, block, shape }) => {
    if (move && block && x.dtype === 'float32') {
      const [before, size] = block;
      const sums = device.using(p.fill([before, size, 1], 1, 'float32'), (ones) =>
        multiply(device.view(x, block), ones, { transposeA: true, transposeB: false }),
      );
      return device.view(sums, shape);
    }
    let now = move ? transpose(x, move) : device.share(x);
    for (let i = reduced.length - 1; i >= 0; i--) {
      const outer = kept * total(reduced.slice(0, i));
      now = device.using(now, (t) => kernel({ x: device.view(t, [outer, reduced[i] as number]) }, attrs));
    }
    return device.view(now, shape);
  };
}
