// Cases of the ops that move elements and compute nothing: reshape to iota.

import * as g from '@fkm/core/graph';
import { BATCH as B, type DType, ndarray, type Shape, type Tensor } from '@fkm/core/graph';
import { everyType, numeric, type Template } from '../case.js';
import { bools, type Domain, integers, listed, uniform } from '../random.js';

/** Values that every dtype can hold; bools take them as true or false. */
const any: Domain = integers(0, 3);

const reshape = (from: Shape, to: Shape): Template => ({
  op: 'reshape',
  tag: `to ${g.formatShape(to)}`,
  dtypes: everyType,
  shapes: [[from]],
  values: any,
  build: ([x]) => g.reshape(x as Tensor, to),
  wrt: [0],
});

const transpose = (shape: Shape, permutation: readonly number[]): Template => ({
  op: 'transpose',
  tag: `to ${permutation}`,
  dtypes: everyType,
  shapes: [[shape]],
  values: any,
  build: ([x]) => g.transpose(x as Tensor, permutation),
  wrt: [0],
});

const broadcast = (from: Shape, to: Shape, like = false): Template => ({
  op: 'broadcast',
  tag: like ? 'like' : `to ${g.formatShape(to)}`,
  dtypes: everyType,
  shapes: [like ? [from, to] : [from]],
  values: any,
  build: ([x, y]) => g.broadcast(x as Tensor, to, y),
  wrt: [0],
});

const concat = (shapes: Template['shapes'], axis: number): Template => ({
  op: 'concat',
  tag: `axis=${axis}`,
  dtypes: everyType,
  shapes,
  values: any,
  build: (x) => g.concat(x, axis),
  wrt: [0, 1, 2],
});

const slice = (shape: Shape, axis: number, begin: number, end: number): Template => ({
  op: 'slice',
  tag: `axis=${axis} ${begin}:${end}`,
  dtypes: everyType,
  shapes: [[shape]],
  values: any,
  build: ([x]) => g.slice(x as Tensor, axis, begin, end),
  wrt: [0],
});

const gather = (x: Shape, indices: Shape, axis: number): Template => ({
  op: 'gather',
  tag: `axis=${axis}`,
  dtypes: everyType,
  shapes: [[x, indices]],
  values: [any, integers(0, (x[axis] as number) - 1)],
  operands: [null, 'int32'],
  build: ([a, b]) => g.gather(a as Tensor, b as Tensor, axis),
  wrt: [0],
});

const scatter = (x: Shape, rows: number, dtypes: readonly DType[] = numeric): Template => ({
  op: 'scatter',
  dtypes,
  shapes: [[x, [rows], [rows, ...x.slice(1)]]],
  values: [integers(-4, 4), integers(0, (x[0] as number) - 1), integers(-4, 4)],
  operands: [null, 'int32'],
  build: ([a, i, u]) => g.scatter(a as Tensor, i as Tensor, u as Tensor),
  wrt: [0, 2],
});

const oneHot = (indices: Shape, depth: number): Template => ({
  op: 'oneHot',
  tag: `depth=${depth}`,
  dtypes: everyType,
  shapes: [[indices]],
  // One below and one above the range, which give zeros.
  values: integers(-1, depth),
  operands: ['int32'],
  build: ([x], dtype) => g.oneHot(x as Tensor, depth, dtype),
});

const constants = (size: number): Template => ({
  op: 'constant',
  tag: `of ${size}`,
  dtypes: everyType,
  shapes: [[[2]]],
  values: any,
  build: ([x], dtype) => {
    const values = Array.from({ length: size }, (_, i) => i % 7);
    return g.constantLike(x as Tensor, ndarray(values, size === 1 ? [] : [size], dtype));
  },
});

export const layout: readonly Template[] = [
  reshape([B, 6], [B, 2, 3]),
  reshape([B, 2, 3], [B, 6]),
  reshape([B], [B, 1]),
  reshape([B, 1], [B]),
  reshape([2, B], [B, 2]),
  reshape([B, 1, 4], [1, B, 2, 2]),
  reshape([6], [2, 3]),
  reshape([], [1, 1]),
  reshape([1, 1], []),
  transpose([B, 3], [1, 0]),
  transpose([B, 2, 3], [0, 2, 1]),
  transpose([2, B, 3], [2, 0, 1]),
  transpose([2, 3, 4, 5], [3, 1, 0, 2]),
  broadcast([3], [B, 3], true),
  broadcast([], [B], true),
  broadcast([1, 3], [B, 2, 3], true),
  broadcast([B, 1], [B, 5]),
  broadcast([B, 1, 3], [B, 4, 3]),
  broadcast([], [4]),
  broadcast([3, 1], [2, 3, 4]),
  concat(
    [
      [
        [B, 2],
        [B, 3],
      ],
      [
        [B, 1],
        [B, 2],
        [B, 1],
      ],
      [[2], [3]],
    ],
    -1,
  ),
  concat(
    [
      [
        [1, B],
        [2, B],
      ],
      [
        [2, 3],
        [1, 3],
      ],
    ],
    0,
  ),
  concat(
    [
      [
        [B, 1, 2],
        [B, 3, 2],
      ],
    ],
    1,
  ),
  slice([B, 6], 1, 0, 2),
  slice([B, 6], 1, 2, 5),
  slice([B, 6], 1, 5, 6),
  slice([B, 6], 1, 0, 6),
  slice([4, B], 0, 1, 3),
  slice([5], 0, 1, 4),
  slice([2, 3, 4], 1, 1, 3),
  slice([B, 97], 1, 64, 97),
  gather([4, 3], [B], 0),
  gather([4, 3], [B, 2], 0),
  gather([4], [B], 0),
  gather([B, 4], [3], 1),
  gather([4, 3], [6], 0),
  gather([4, 3], [], 0),
  gather([2, 3, 4], [2, 2], 1),
  gather([2, 4], [B], 1),
  gather([4, 3], [2, B], 0),
  gather([2, 4], [B, 2], 1),
  // Rows of the batch itself; indices need rows to point at, so there is no empty case.
  {
    op: 'gather',
    tag: 'rows of the batch',
    dtypes: ['float32'],
    shapes: [
      [[4, 3], [2]],
      [[B, 3], [4]],
      [[B], [2, 2]],
    ],
    values: [any, integers(0, 3)],
    operands: [null, 'int32'],
    build: ([a, b]) => g.gather(a as Tensor, b as Tensor),
    wrt: [0],
  },
  scatter([4, 3], B),
  scatter([4], B),
  scatter([4, 3], 6),
  scatter([3, 2, 2], B, ['float32']),
  scatter([2, B], 3, ['float32']),
  scatter([97, 5], 200, ['float32']),
  oneHot([B], 4),
  oneHot([B, 2], 3),
  oneHot([], 3),
  oneHot([3], 1),
  {
    op: 'iota',
    dtypes: ['int32'],
    shapes: [[[B]], [[2]]],
    values: any,
    build: ([x]) => ({ y: g.iota(x as Tensor, 7), one: g.iota(x as Tensor, 1) }),
  },
  constants(1),
  constants(5),
  constants(300),
  {
    op: 'constant',
    tag: 'special values',
    dtypes: ['float32', 'float16', 'bfloat16'],
    shapes: [[[2]]],
    values: uniform(0, 1),
    build: ([x], dtype) => {
      const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0];
      return g.constantLike(x as Tensor, ndarray(values, [5], dtype));
    },
    signedZero: true,
  },
  {
    op: 'transpose',
    tag: 'special values',
    dtypes: ['float32', 'float16', 'bfloat16'],
    shapes: [[[2, 3]]],
    values: listed([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e-7]),
    build: ([x]) => g.transpose(x as Tensor),
    signedZero: true,
  },
  {
    op: 'reshape',
    tag: 'bool rows',
    dtypes: ['bool'],
    shapes: [[[B, 2]]],
    values: bools,
    build: ([x]) => g.reshape(x as Tensor, [B, 2, 1]),
  },
];
