// The table from ops to tfjs kernels. `composite` has no row, since the plan inlines its body.

import type { OpName } from '@fkm/core/graph';
import { ndarray } from '@fkm/core/graph';
import { abs, binary, div, extremum, neg, select, unary } from './elementwise.js';
import {
  broadcast,
  concat,
  gather,
  oneHot,
  reduced,
  reshape,
  scatter,
  slice,
  topK,
  transpose,
} from './indexing.js';
import type { TfjsDType } from './kernel-types.js';
import type { Lowering } from './lower.js';
import { product } from './matmul.js';
import { reduction, summation } from './reduce.js';
import type { TensorInfo } from './tfjs.js';

/** How each op runs on tfjs. */
export const kernels: { [O in Exclude<OpName, 'composite'>]: Lowering<O> } = {
  constant: ({ attrs: { value } }, { primitives: { device } }) => ({
    kept: device.write(value.data, value.shape, value.dtype as TfjsDType),
  }),
  add: binary('Add'),
  sub: binary('Sub'),
  mul: binary('Multiply'),
  div,
  neg,
  exp: unary('Exp'),
  log: unary('Log'),
  sqrt: unary('Sqrt'),
  abs,
  max: extremum('max'),
  min: extremum('min'),
  eq: binary('Equal'),
  lt: binary('Less'),
  and: binary('LogicalAnd'),
  not: unary('LogicalNot'),
  select,
  cast:
    ({ attrs }, { primitives }) =>
    ([x]) => [primitives.cast(x as TensorInfo, attrs.dtype)],
  matmul: ({ attrs }, { primitives }) => {
    const multiply = product(primitives);
    return ([a, b]) => [multiply(a as TensorInfo, b as TensorInfo, attrs)];
  },
  sum: (equation, { primitives }) => reduced(equation, equation.attrs.axes, summation(primitives)),
  reduceMax: (equation, { primitives }) =>
    reduced(equation, equation.attrs.axes, reduction(primitives, 'Max', 'reductionIndices')),
  argMax: (equation, { primitives }) =>
    reduced(equation, [equation.attrs.axis], reduction(primitives, 'ArgMax', 'axis')),
  topK,
  reshape,
  transpose,
  broadcast,
  concat,
  slice,
  gather,
  scatter,
  oneHot,
  iota: ({ attrs: { length } }, { primitives: { device } }) => {
    const { data, shape } = ndarray(
      Array.from({ length }, (_, i) => i),
      [length],
      'int32',
    );
    return { kept: device.write(data, shape, 'int32') };
  },
  stopGradient:
    (_, { primitives: { device } }) =>
    ([x]) => [device.share(x as TensorInfo)],
};
