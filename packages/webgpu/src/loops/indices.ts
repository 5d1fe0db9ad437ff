// Index arithmetic of broadcasting: where an element of the result is found in an operand.

import { BATCH, type Shape } from '@fkm/core/graph';

/** A number of elements: fixed, or for each row of the batch. */
export interface Count {
  readonly batched: boolean;
  readonly size: number;
}

export const countOf = (shape: Shape): Count => ({
  batched: shape.includes(BATCH),
  size: shape.reduce((product, dim) => (dim === BATCH ? product : product * dim), 1),
});

export const sameCount = (a: Count, b: Count): boolean => a.batched === b.batched && a.size === b.size;

/** Number of elements in a run over `rows` rows. */
export const elements = ({ batched, size }: Count, rows: number): number => (batched ? rows * size : size);

/** The same in WGSL. */
export const elementsOf = ({ batched, size }: Count): string =>
  !batched ? `${size}u` : size === 1 ? 'params.rows' : `params.rows * ${size}u`;

const one: Count = { batched: false, size: 1 };
const dimOf = (dim: number): Count =>
  dim === BATCH ? { batched: true, size: 1 } : { batched: false, size: dim };
const product = (a: Count, b: Count): Count => ({ batched: a.batched || b.batched, size: a.size * b.size });
const isOne = ({ batched, size }: Count): boolean => !batched && size === 1;

/** Distance between neighbours along each axis. */
function stridesOf(shape: Shape): Count[] {
  const strides: Count[] = [];
  let stride = one;
  for (const dim of [...shape].reverse()) {
    strides.unshift(stride);
    stride = product(stride, dimOf(dim));
  }
  return strides;
}

/**
 * The index in an operand for element `i` of the result, in WGSL. `strides` are the operand's along each axis, null where it is
 * broadcast.
 */
function walk(to: Shape, strides: readonly (Count | null)[], i: string): string {
  /** Axes that are adjacent in both operand and result, merged. */
  const blocks: { size: Count; stride: Count | null }[] = [];
  to.forEach((dim, axis) => {
    if (dim === 1) return;
    const [size, stride] = [dimOf(dim), strides[axis] ?? null];
    const last = blocks[blocks.length - 1];
    const joins =
      last &&
      (stride && last.stride ? sameCount(last.stride, product(stride, size)) : stride === last.stride);
    if (joins) {
      last.size = product(last.size, size);
      last.stride = stride;
    } else {
      blocks.push({ size, stride });
    }
  });
  const terms: string[] = [];
  let inner = one;
  for (let at = blocks.length - 1; at >= 0; at--) {
    const { size, stride } = blocks[at] as (typeof blocks)[0];
    if (stride) {
      let term = isOne(inner) ? i : `${i} / ${factor(inner)}`;
      if (at > 0) term = isOne(inner) ? `${term} % ${factor(size)}` : `(${term}) % ${factor(size)}`;
      terms.unshift(isOne(stride) ? term : `(${term}) * ${factor(stride)}`);
    }
    inner = product(inner, size);
  }
  return terms.length === 0 ? '0u' : terms.join(' + ');
}

const factor = (count: Count): string => {
  const text = elementsOf(count);
  return text.includes(' ') ? `(${text})` : text;
};

/** The index in an operand of shape `from` that is broadcast to `to`. */
export function placeOf(from: Shape, to: Shape, i = 'i'): string {
  const own = [...new Array<number>(to.length - from.length).fill(1), ...from];
  const strides = stridesOf(own).map((stride, axis) => (own[axis] === to[axis] ? stride : null));
  return walk(to, strides, i);
}

/** The index in an operand of shape `from` whose axes are permuted. */
export function placeBefore(from: Shape, permutation: readonly number[], i = 'i'): string {
  const strides = stridesOf(from);
  const to = permutation.map((axis) => from[axis] as number);
  return walk(
    to,
    permutation.map((axis) => strides[axis] as Count),
    i,
  );
}
