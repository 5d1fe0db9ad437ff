// The reference kernels: one row an op, plain loops over typed arrays. They are the oracle of all other backends, so they are
// written for reading; sums are in float64 for every dtype.

import { decodeHalf, type Shape, type TypedArray } from '../dtype.js';
import type { OpAttrs, OpName } from './ir.js';

/** An array of numbers; halves are decoded. */
export interface Dense {
  readonly data: TypedArray;
  readonly shape: Shape;
}

/** Fills `out` from `x`; shapes are concrete. */
export type Kernel<Attrs = object> = (
  x: readonly [Dense, Dense, Dense],
  out: readonly [Dense, Dense],
  attrs: Attrs,
) => void;

const stridesOf = (shape: Shape): number[] => {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] as number;
  }
  return strides;
};

/** Strides that walk x in the order of `shape`: 0 along broadcast axes. */
function broadcastStrides(x: Dense, shape: Shape): number[] {
  const own = stridesOf(x.shape);
  const extra = shape.length - x.shape.length;
  return shape.map((_, i) => (i < extra || x.shape[i - extra] === 1 ? 0 : (own[i - extra] as number)));
}

/** Calls visit(output index, index into each operand) in row-major order of `shape`. */
function walk(
  shape: Shape,
  strides: readonly (readonly number[])[],
  visit: (o: number, a: number, b: number, c: number) => void,
): void {
  const size = shape.reduce((a, b) => a * b, 1);
  const rank = shape.length;
  const counter = new Array<number>(rank).fill(0);
  const at = [0, 0, 0];
  for (let o = 0; o < size; o++) {
    visit(o, at[0] as number, at[1] as number, at[2] as number);
    for (let axis = rank - 1; axis >= 0; axis--) {
      const next = (counter[axis] as number) + 1;
      const wraps = next === shape[axis];
      counter[axis] = wraps ? 0 : next;
      for (let s = 0; s < strides.length; s++) {
        const stride = (strides[s] as readonly number[])[axis] as number;
        at[s] = (at[s] as number) + (wraps ? -stride * (next - 1) : stride);
      }
      if (!wraps) break;
    }
  }
}

const unary =
  (f: (x: number) => number): Kernel =>
  ([x], [out]) => {
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(x.data[i] as number);
  };

const binary =
  (f: (x: number, y: number) => number): Kernel =>
  ([x, y], [out]) => {
    const [a, b, o] = [x.data, y.data, out.data];
    if (a.length === o.length && b.length === o.length) {
      for (let i = 0; i < o.length; i++) o[i] = f(a[i] as number, b[i] as number);
    } else if (a.length === o.length && b.length === 1) {
      const right = b[0] as number;
      for (let i = 0; i < o.length; i++) o[i] = f(a[i] as number, right);
    } else {
      walk(out.shape, [broadcastStrides(x, out.shape), broadcastStrides(y, out.shape)], (i, p, q) => {
        o[i] = f(a[p] as number, b[q] as number);
      });
    }
  };

/** Visits x grouped by output element: reduced axes vary fastest, kept axes give the output index. */
function reduceWalk(x: Dense, axes: readonly number[], visit: (o: number, i: number) => void): void {
  const strides = new Array<number>(x.shape.length).fill(0);
  let stride = 1;
  for (let i = x.shape.length - 1; i >= 0; i--) {
    if (axes.includes(i)) continue;
    strides[i] = stride;
    stride *= x.shape[i] as number;
  }
  walk(x.shape, [strides], (i, o) => visit(o, i));
}

/** Sizes before, on and after an axis. */
function around(shape: Shape, axis: number): [number, number, number] {
  const product = (part: Shape): number => part.reduce((a, b) => a * b, 1);
  return [product(shape.slice(0, axis)), shape[axis] as number, product(shape.slice(axis + 1))];
}

const matmul: Kernel<OpAttrs['matmul']> = ([a, b], [out], { transposeA, transposeB }) => {
  const [m, n] = [out.shape[out.shape.length - 2] as number, out.shape[out.shape.length - 1] as number];
  const inner = a.shape[a.shape.length - (transposeA ? 2 : 1)] as number;
  const lead = out.shape.slice(0, -2);
  const matrices = (x: Dense): Dense => ({ data: x.data, shape: x.shape.slice(0, -2) });
  const rows = new Float64Array(m * inner);
  const columns = new Float64Array(n * inner);
  walk(lead, [broadcastStrides(matrices(a), lead), broadcastStrides(matrices(b), lead)], (o, p, q) => {
    pack(a.data, p * m * inner, m, inner, transposeA, rows);
    pack(b.data, q * n * inner, n, inner, !transposeB, columns);
    const base = o * m * n;
    for (let i = 0; i < m; i++) {
      const row = i * inner;
      let j = 0;
      for (; j + 4 <= n; j += 4) {
        let [s0, s1, s2, s3] = [0, 0, 0, 0];
        const c = j * inner;
        for (let k = 0; k < inner; k++) {
          const x = rows[row + k] as number;
          s0 += x * (columns[c + k] as number);
          s1 += x * (columns[c + inner + k] as number);
          s2 += x * (columns[c + 2 * inner + k] as number);
          s3 += x * (columns[c + 3 * inner + k] as number);
        }
        out.data[base + i * n + j] = s0;
        out.data[base + i * n + j + 1] = s1;
        out.data[base + i * n + j + 2] = s2;
        out.data[base + i * n + j + 3] = s3;
      }
      for (; j < n; j++) {
        let s = 0;
        for (let k = 0; k < inner; k++) s += (rows[row + k] as number) * (columns[j * inner + k] as number);
        out.data[base + i * n + j] = s;
      }
    }
  });
};

/** Copies one matrix to `to` as [rows, inner]; `flip` if it is stored as [inner, rows]. */
function pack(
  from: TypedArray,
  base: number,
  rows: number,
  inner: number,
  flip: boolean,
  to: Float64Array,
): void {
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      to[i * inner + k] = from[base + (flip ? k * rows + i : i * inner + k)] as number;
    }
  }
}

const sum: Kernel<OpAttrs['sum']> = ([x], [out], { axes }) => {
  const totals = new Float64Array(out.data.length);
  reduceWalk(x, axes, (o, i) => {
    totals[o] = (totals[o] as number) + (x.data[i] as number);
  });
  out.data.set(totals);
};

const reduceMax: Kernel<OpAttrs['reduceMax']> = ([x], [out], { axes }) => {
  const best = new Float64Array(out.data.length).fill(Number.NEGATIVE_INFINITY);
  reduceWalk(x, axes, (o, i) => {
    best[o] = Math.max(best[o] as number, x.data[i] as number);
  });
  out.data.set(best);
};

const argMax: Kernel<OpAttrs['argMax']> = ([x], [out], { axis }) => {
  const [outer, size, inner] = around(x.shape, axis);
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      let best = 0;
      for (let k = 1; k < size; k++) {
        if (
          (x.data[(i * size + k) * inner + j] as number) > (x.data[(i * size + best) * inner + j] as number)
        )
          best = k;
      }
      out.data[i * inner + j] = best;
    }
  }
};

const topK: Kernel<OpAttrs['topK']> = ([x], [values, indices], { k }) => {
  const size = x.shape[x.shape.length - 1] as number;
  for (let row = 0; row * size < x.data.length; row++) {
    const at = (i: number): number => x.data[row * size + i] as number;
    const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => at(b) - at(a) || a - b);
    for (let j = 0; j < k; j++) {
      indices.data[row * k + j] = order[j] as number;
      values.data[row * k + j] = at(order[j] as number);
    }
  }
};

const copy: Kernel = ([x], [out]) => {
  out.data.set(x.data);
};

const gather: Kernel<OpAttrs['gather']> = ([x, indices], [out], { axis }) => {
  const [outer, size, inner] = around(x.shape, axis);
  const count = indices.data.length;
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < count; j++) {
      const from = (i * size + (indices.data[j] as number)) * inner;
      out.data.set(x.data.subarray(from, from + inner), (i * count + j) * inner);
    }
  }
};

const scatter: Kernel<OpAttrs['scatter']> = ([x, indices, updates], [out]) => {
  const width = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const totals = Float64Array.from(x.data);
  for (let i = 0; i < indices.data.length; i++) {
    const row = (indices.data[i] as number) * width;
    for (let j = 0; j < width; j++)
      totals[row + j] = (totals[row + j] as number) + (updates.data[i * width + j] as number);
  }
  out.data.set(totals);
};

const concat: Kernel<OpAttrs['concat']> = (x, [out], { axis }) => {
  const [outer, total, inner] = around(out.shape, axis);
  let begin = 0;
  for (const part of x as readonly Dense[]) {
    const width = (part.shape[axis] as number) * inner;
    for (let i = 0; i < outer; i++) {
      out.data.set(part.data.subarray(i * width, (i + 1) * width), (i * total + begin) * inner);
    }
    begin += part.shape[axis] as number;
  }
};

const slice: Kernel<OpAttrs['slice']> = ([x], [out], { axis, begin, end }) => {
  const [outer, size, inner] = around(x.shape, axis);
  const width = (end - begin) * inner;
  for (let i = 0; i < outer; i++) {
    const from = (i * size + begin) * inner;
    out.data.set(x.data.subarray(from, from + width), i * width);
  }
};

/** The kernel of each op. `composite` has none: it runs as its body. */
export const kernels: { [O in Exclude<OpName, 'composite'>]: Kernel<OpAttrs[O]> } = {
  constant: (_, [out], { value: { data, dtype } }) => {
    out.data.set(dtype === 'float16' || dtype === 'bfloat16' ? decodeHalf(data, dtype) : data);
  },
  add: binary((x, y) => x + y),
  sub: binary((x, y) => x - y),
  mul: binary((x, y) => x * y),
  div: binary((x, y) => x / y),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  abs: unary(Math.abs),
  max: binary(Math.max),
  min: binary(Math.min),
  eq: binary((x, y) => (x === y ? 1 : 0)),
  lt: binary((x, y) => (x < y ? 1 : 0)),
  and: binary((x, y) => (x && y ? 1 : 0)),
  not: unary((x) => (x ? 0 : 1)),
  select: ([c, x, y], [out]) => {
    const strides = [c, x, y].map((operand) => broadcastStrides(operand, out.shape));
    walk(out.shape, strides, (i, p, q, r) => {
      out.data[i] = (c.data[p] ? x.data[q] : y.data[r]) as number;
    });
  },
  cast: ([x], [out], { dtype }) => {
    if (dtype === 'bool') for (let i = 0; i < out.data.length; i++) out.data[i] = x.data[i] ? 1 : 0;
    else out.data.set(x.data);
  },
  matmul,
  sum,
  reduceMax,
  argMax,
  topK,
  reshape: copy,
  transpose: ([x], [out], { permutation }) => {
    const own = stridesOf(x.shape);
    walk(out.shape, [permutation.map((axis) => own[axis] as number)], (i, p) => {
      out.data[i] = x.data[p] as number;
    });
  },
  broadcast: ([x], [out]) => {
    walk(out.shape, [broadcastStrides(x, out.shape)], (i, p) => {
      out.data[i] = x.data[p] as number;
    });
  },
  concat,
  slice,
  gather,
  scatter,
  oneHot: ([indices], [out], { depth }) => {
    out.data.fill(0);
    for (let i = 0; i < indices.data.length; i++) {
      const at = indices.data[i] as number;
      if (at >= 0 && at < depth) out.data[i * depth + at] = 1;
    }
  },
  iota: (_, [out]) => {
    for (let i = 0; i < out.data.length; i++) out.data[i] = i;
  },
  stopGradient: copy,
};
