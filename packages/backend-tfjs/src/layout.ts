// Shapes reduced to the lowest equivalent rank: kernels are fast, and on wasm correct, only there.

import { BATCH, type Shape } from '@fkm/core/graph';

/** The shape with the batch axis set to its size. */
export const bindShape = (shape: Shape, rows: number): number[] =>
  shape.map((dim) => (dim === BATCH ? rows : dim));

/**
 * The result of `make` for the current number of rows; computed again only if that changes, and once if no shape has the batch
 * axis.
 */
export function perRows<T>(shapes: readonly Shape[], make: (rows: number) => T): (rows: number) => T {
  if (!shapes.some((shape) => shape.includes(BATCH))) {
    const once = make(0);
    return () => once;
  }
  let last = -1;
  let value: T;
  return (rows) => {
    if (rows !== last) {
      value = make(rows);
      last = rows;
    }
    return value;
  };
}

/** Two operands of an elementwise op. */
export interface BroadcastLayout {
  /** Operands and result with equivalent neighbouring axes merged and leading axes of size 1 dropped. */
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly out: readonly number[];
  /** The shape of the result in the graph. */
  readonly shape: readonly number[];
}

export function broadcastLayout(a: Shape, b: Shape): BroadcastLayout {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  const out: number[] = [];
  const kinds: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    const size = x === 1 ? y : x;
    shape.push(size);
    if (size === 1) continue;
    const kind = x === 1 ? 1 : y === 1 ? 2 : 0;
    const last = out.length - 1;
    if (kinds[last] === kind) out[last] = (out[last] as number) * size;
    else {
      kinds.push(kind);
      out.push(size);
    }
  }
  const operand = (repeated: number): number[] => {
    const from = kinds.findIndex((kind) => kind !== repeated);
    return from < 0 ? [] : out.slice(from).map((size, i) => (kinds[from + i] === repeated ? 1 : size));
  };
  return { a: operand(1), b: operand(2), out, shape };
}

/** A permutation without axes of size 1, and with axes that stay adjacent merged. */
export interface PermutationLayout {
  readonly from: readonly number[];
  readonly permutation: readonly number[];
  /** The shape of the result in the graph. */
  readonly shape: readonly number[];
}

export function permutationLayout(x: Shape, permutation: readonly number[]): PermutationLayout {
  const kept = [...x.keys()].filter((axis) => x[axis] !== 1);
  const order = permutation.filter((axis) => x[axis] !== 1).map((axis) => kept.indexOf(axis));
  const groups: { start: number; size: number }[] = [];
  order.forEach((axis, i) => {
    const size = x[kept[axis] as number] as number;
    const last = groups[groups.length - 1];
    if (last && axis === (order[i - 1] as number) + 1) last.size *= size;
    else groups.push({ start: axis, size });
  });
  const sorted = [...groups].sort((p, q) => p.start - q.start);
  return {
    from: sorted.map(({ size }) => size),
    permutation: groups.map((group) => sorted.indexOf(group)),
    shape: permutation.map((axis) => x[axis] as number),
  };
}

/** Products of the sizes before, on and after an axis. */
export function around(shape: Shape, axis: number): [number, number, number] {
  const product = (part: Shape): number => part.reduce((p, q) => p * q, 1);
  return [product(shape.slice(0, axis)), shape[axis] as number, product(shape.slice(axis + 1))];
}
