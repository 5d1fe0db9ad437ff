// Cases of the ops that combine many elements: matmul, sum, reduceMax, argMax, topK. They include last axes of 70, 97, 400 and
// 1024, since backends lower long axes differently, in tiles or chunks.

import * as g from '@fkm/core/graph';
import { BATCH as B, type Shape, type Tensor } from '@fkm/core/graph';
import { floats, numeric, type Template } from '../case.js';
import { type Domain, distinct, integers, listed, negative, uniform } from '../random.js';

const ops = { sum: g.sum, reduceMax: g.reduceMax };

const matmul = (
  shapes: Template['shapes'],
  options: { transposeA?: boolean; transposeB?: boolean } = {},
  scale = 8,
): Template => ({
  op: 'matmul',
  tag: Object.keys(options).join(' '),
  dtypes: floats,
  shapes,
  values: uniform(-2, 2),
  build: ([a, b]) => g.matmul(a as Tensor, b as Tensor, options),
  wrt: [0, 1],
  scale,
});

const matmuls: readonly Template[] = [
  matmul([
    [
      [B, 3],
      [3, 4],
    ],
    [
      [B, 2, 3],
      [3, 4],
    ],
    [
      [2, 3],
      [3, 1],
    ],
    [
      [1, 1],
      [1, 1],
    ],
    [
      [2, B, 3],
      [3, 4],
    ],
    [
      [2, 3],
      [B, 3, 4],
    ],
    [
      [B, 2, 3],
      [B, 3, 4],
    ],
    [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
  ]),
  matmul(
    [
      [
        [B, 3],
        [4, 3],
      ],
      [
        [B, 2, 3],
        [4, 3],
      ],
      [
        [B, 2, 3],
        [B, 4, 3],
      ],
    ],
    { transposeB: true },
  ),
  // The inner axis is the batch, so the product over no rows is zero.
  matmul(
    [
      [
        [B, 3],
        [B, 4],
      ],
      [
        [3, B],
        [3, 4],
      ],
      [
        [2, 4, 3],
        [2, 4, 5],
      ],
    ],
    { transposeA: true },
  ),
  matmul(
    [
      [
        [3, B],
        [4, 3],
      ],
      [
        [2, 4, 3],
        [5, 4],
      ],
    ],
    { transposeA: true, transposeB: true },
  ),
  matmul(
    [
      [
        [B, 97],
        [97, 70],
      ],
    ],
    {},
    100,
  ),
  matmul(
    [
      [
        [33, 400],
        [65, 400],
      ],
    ],
    { transposeB: true },
    200,
  ),
];

interface ReduceCase {
  readonly axes?: number | readonly number[];
  readonly keepDims?: boolean;
}

const reduction = (
  op: 'sum' | 'reduceMax',
  shapes: Template['shapes'],
  { axes, keepDims }: ReduceCase,
  values: Domain,
  rest: Partial<Template> = {},
): Template => ({
  op,
  dtypes: numeric,
  shapes,
  values,
  build: ([x]) => ops[op](x as Tensor, axes, { keepDims: keepDims ?? false }),
  wrt: [0],
  ...rest,
  tag: [axes === undefined ? 'all' : `axes=${axes}`, keepDims && 'keepDims', rest.tag]
    .filter(Boolean)
    .join(' '),
});

const long: readonly (readonly Shape[])[] = [[[B, 70]], [[3, 97]], [[2, 400]], [[2, 1024]]];

const reductions: readonly Template[] = [
  ...(['sum', 'reduceMax'] as const).flatMap((op): Template[] => {
    const values = op === 'sum' ? uniform(-4, 4) : distinct;
    const scale = { scale: op === 'sum' ? 8 : 1 };
    return [
      reduction(op, [[[B, 4]], [[B, 2, 3]], [[4]], [[2, 3, 4, 5]]], { axes: -1 }, values, scale),
      reduction(op, [[[B, 4]], [[2, 3, 4]]], { axes: -1, keepDims: true }, values, scale),
      reduction(op, [[[4, B]], [[3, 2]]], { axes: 0 }, values, scale),
      reduction(op, [[[2, B, 3]]], { axes: [0, 2] }, values, scale),
      reduction(op, [[[2, B, 3, 2]]], { axes: [0, 3], keepDims: true }, values, scale),
      reduction(op, [[[3, 4]], [[2, 3, 2, 2]], [[1]]], {}, values, scale),
      reduction(op, long, { axes: -1 }, values, { scale: op === 'sum' ? 100 : 1 }),
    ];
  }),
  // Over the batch axis: a sum over no rows is zero; a maximum over no rows is undefined, so that case has rows.
  reduction('sum', [[[B, 3]], [[2, B]]], { axes: [0, 1] }, uniform(-4, 4), { scale: 8 }),
  reduction('sum', [[[B, 3]], [[B]]], { axes: 0 }, uniform(-4, 4), { scale: 8 }),
  reduction('reduceMax', [[[2, 3]], [[3, B]]], { axes: 1 }, distinct, { dtypes: ['float32'] }),
  reduction('reduceMax', [[[B, 5]]], { axes: -1 }, integers(0, 1), { tag: 'ties', smooth: false }),
  reduction('reduceMax', long, { axes: -1 }, negative, { tag: 'negative' }),
  reduction(
    'reduceMax',
    [[[2, 3]]],
    { axes: -1 },
    listed([-1, Number.NEGATIVE_INFINITY, -2, ...Array(3).fill(-Infinity)]),
    {
      tag: 'infinite',
      dtypes: floats,
      wrt: [],
    },
  ),
];

const argMax = (
  shapes: Template['shapes'],
  axis: number,
  values: Domain,
  rest: Partial<Template> = {},
): Template => ({
  op: 'argMax',
  dtypes: numeric,
  shapes,
  values,
  build: ([x]) => g.argMax(x as Tensor, axis),
  ...rest,
  tag: [`axis=${axis}`, rest.tag].filter(Boolean).join(' '),
});

const longer: readonly (readonly Shape[])[] = [...long, [[2, 33]], [[1, 31]], [[2, 1025]]];
const lowest = Number.NEGATIVE_INFINITY;
/** Rows of three: with masked entries, then only masked entries. */
const masked = [lowest, -5, lowest, lowest, lowest, lowest];

const argMaxes: readonly Template[] = [
  argMax([[[B, 4]], [[B, 2, 3]], [[4]], [[B, 1]], [[2, 3, 4, 5]]], -1, distinct),
  argMax([[[4, B]], [[3, 2]], [[4]]], 0, distinct),
  argMax([[[B, 4, 3]], [[2, 5, 3]]], 1, distinct),
  argMax(longer, -1, distinct),
  argMax(longer, -1, negative, { tag: 'negative' }),
  argMax([[[B, 5]], [[6, 97]], [[6, 400]], [[6, 1024]]], -1, integers(0, 2), { tag: 'ties' }),
  argMax([[[B, 70]], [[2, 1024]]], -1, listed([0]), { tag: 'all equal' }),
  argMax([[[B, 3]], [[4, 97]]], -1, listed(masked), { tag: 'infinite', dtypes: floats }),
];

const topK = (
  shapes: Template['shapes'],
  k: number,
  values: Domain,
  rest: Partial<Template> = {},
): Template => ({
  op: 'topK',
  dtypes: numeric,
  shapes,
  values,
  build: ([x]) => g.topK(x as Tensor, k),
  wrt: [0],
  ...rest,
  tag: [`k=${k}`, rest.tag].filter(Boolean).join(' '),
});

const topKs: readonly Template[] = [
  topK([[[B, 4]], [[B, 2, 5]], [[4]], [[2, 2, 2, 3]]], 3, distinct),
  topK([[[B, 4]], [[B, 1]], [[3, 97]]], 1, distinct),
  topK([[[B, 5]]], 5, distinct),
  topK(long, 7, distinct),
  topK([[[2, 70]], [[2, 400]]], 70, distinct),
  topK([[[B, 6]], [[4, 97]], [[4, 400]]], 4, integers(0, 2), { tag: 'ties', smooth: false }),
  topK([[[B, 5]]], 3, listed([0]), { tag: 'all equal', smooth: false }),
  topK([[[B, 3]], [[4, 97]]], 3, listed(masked), { tag: 'infinite', dtypes: floats, wrt: [] }),
  topK([[[B, 9]]], 2, negative, { tag: 'negative' }),
];

export const reducing: readonly Template[] = [...matmuls, ...reductions, ...argMaxes, ...topKs];
