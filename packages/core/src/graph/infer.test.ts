import { describe, expect, it } from 'vitest';
import { type DType, ndarray, type Shape } from '../dtype.js';
import { FkmError, ShapeError } from '../errors.js';
import { broadcastShapes, formatType, infer, inferTypes } from './infer.js';
import { BATCH as B, type OpAttrs, type OpName, type Var } from './ir.js';
import { composite, neg } from './ops.js';
import { trace } from './trace.js';

const v = (dtype: DType, ...shape: number[]): Var => ({ id: 0, shape, dtype });
const f = (...shape: number[]): Var => v('float32', ...shape);
const i = (...shape: number[]): Var => v('int32', ...shape);
const b = (...shape: number[]): Var => v('bool', ...shape);

describe('broadcastShapes', () => {
  it.each<[Shape, Shape, Shape]>([
    [[B, 3], [3], [B, 3]],
    [[], [B, 3], [B, 3]],
    [
      [B, 1],
      [1, 4],
      [B, 4],
    ],
    [
      [2, 1, 3],
      [4, 1],
      [2, 4, 3],
    ],
    [[1], [B], [B]],
    [[0], [1], [0]],
  ])('%j and %j give %j, either way round', (x, y, common) => {
    expect(broadcastShapes(x, y)).toEqual(common);
    expect(broadcastShapes(y, x)).toEqual(common);
  });

  it.each<[Shape, Shape]>([
    [[3], [4]],
    [[B], [5]],
    [
      [B, 2],
      [2, 2],
    ],
  ])('%j and %j are refused', (x, y) => {
    expect(() => broadcastShapes(x, y)).toThrow(ShapeError);
  });
});

type Row<O extends OpName = OpName> = { [P in O]: [P, readonly Var[], OpAttrs[P], string] }[O];

const body = trace('c', { x: { shape: [B], dtype: 'float32' } }, ({ x }) => {
  const { y } = composite('inner', { x }, (t) => ({ y: neg(t.x) }));
  return { y: y as never };
});

/** What each op refuses, in its own words. */
const refusals: readonly Row[] = [
  [
    'constant',
    [],
    { value: { ...ndarray([], []), shape: [B] } },
    'constant(): a constant has a concrete shape.',
  ],
  ['add', [f(2), f(3)], {}, 'add(float32[2], float32[3]): shapes [2] and [3] do not broadcast.'],
  [
    'add',
    [f(2), i(2)],
    {},
    'add(float32[2], int32[2]): operands are float32 and int32; write cast(x, dtype) on one of them.',
  ],
  ['sub', [b(2), b(2)], {}, 'sub(bool[2], bool[2]): wants numeric operands, got bool; write cast(x, dtype).'],
  ['mul', [f(2)], {}, 'mul(float32[2]): operand 1 is missing.'],
  [
    'div',
    [f(B, 2), f(5, 2)],
    {},
    'div(float32[B,2], float32[5,2]): shapes [B,2] and [5,2] do not broadcast.',
  ],
  ['neg', [b()], {}, 'neg(bool[]): wants numeric operands, got bool; write cast(x, dtype).'],
  ['abs', [b()], {}, 'abs(bool[]): wants numeric operands, got bool; write cast(x, dtype).'],
  ['exp', [i(2)], {}, 'exp(int32[2]): wants floating operands, got int32; write cast(x, dtype).'],
  ['log', [i(2)], {}, 'log(int32[2]): wants floating operands, got int32; write cast(x, dtype).'],
  ['sqrt', [b(2)], {}, 'sqrt(bool[2]): wants floating operands, got bool; write cast(x, dtype).'],
  [
    'max',
    [f(2), v('float16', 2)],
    {},
    'max(float32[2], float16[2]): operands are float32 and float16; write cast(x, dtype) on one of them.',
  ],
  ['min', [b(2), b(2)], {}, 'min(bool[2], bool[2]): wants numeric operands, got bool; write cast(x, dtype).'],
  [
    'eq',
    [f(2), i(2)],
    {},
    'eq(float32[2], int32[2]): operands are float32 and int32; write cast(x, dtype) on one of them.',
  ],
  ['lt', [b(), b()], {}, 'lt(bool[], bool[]): wants numeric operands, got bool; write cast(x, dtype).'],
  [
    'and',
    [b(2), f(2)],
    {},
    'and(bool[2], float32[2]): wants bool operands, got float32; write cast(x, dtype).',
  ],
  ['not', [f(2)], {}, 'not(float32[2]): wants bool operands, got float32; write cast(x, dtype).'],
  [
    'select',
    [f(2), f(2), f(2)],
    {},
    'select(float32[2], float32[2], float32[2]): wants a bool condition; other operands, got float32; write cast(x, dtype).',
  ],
  [
    'select',
    [b(2), f(2), i(2)],
    {},
    'select(bool[2], float32[2], int32[2]): operands are float32 and int32; write cast(x, dtype) on one of them.',
  ],
  ['cast', [], { dtype: 'int32' }, 'cast(): operand 0 is missing.'],
  [
    'matmul',
    [f(B, 3), f(4, 5)],
    { transposeA: false, transposeB: false },
    'matmul(float32[B,3], float32[4,5]): inner sizes differ: [B,3] and [4,5].',
  ],
  [
    'matmul',
    [f(3), f(3, 2)],
    { transposeA: false, transposeB: false },
    'matmul(float32[3], float32[3,2]): wants operands of rank 2 or more.',
  ],
  [
    'matmul',
    [i(3, 3), i(3, 3)],
    { transposeA: false, transposeB: false },
    'matmul(int32[3,3], int32[3,3]): wants floating operands, got int32; write cast(x, dtype).',
  ],
  [
    'sum',
    [f(2, 3)],
    { axes: [2], keepDims: false },
    'sum(float32[2,3]): axis 2 does not exist in a tensor of rank 2.',
  ],
  [
    'sum',
    [b(2)],
    { axes: [0], keepDims: false },
    'sum(bool[2]): wants numeric operands, got bool; write cast(x, dtype).',
  ],
  [
    'reduceMax',
    [f()],
    { axes: [0], keepDims: true },
    'reduceMax(float32[]): axis 0 does not exist in a tensor of rank 0.',
  ],
  ['argMax', [f(2)], { axis: -2 }, 'argMax(float32[2]): axis -2 does not exist in a tensor of rank 1.'],
  ['topK', [f(2, 3)], { k: 4 }, 'topK(float32[2,3]): k = 4 is outside of 1..3 in [2,3].'],
  ['topK', [f(3)], { k: 0 }, 'topK(float32[3]): k = 0 is outside of 1..3 in [3].'],
  ['topK', [f(3)], { k: 1.5 }, 'topK(float32[3]): k = 1.5 is outside of 1..3 in [3].'],
  ['reshape', [f(B, 3)], { shape: [B, 4] }, 'reshape(float32[B,3]): cannot reshape [B,3] to [B,4].'],
  ['reshape', [f(B, 3)], { shape: [3] }, 'reshape(float32[B,3]): cannot reshape [B,3] to [3].'],
  [
    'reshape',
    [f(4)],
    { shape: [-2, -2] },
    'reshape(float32[4]): dim = -2 should be a whole number, 0 or more.',
  ],
  [
    'transpose',
    [f(2, 3)],
    { permutation: [0, 0] },
    'transpose(float32[2,3]): [0,0] is no permutation of the axes of [2,3].',
  ],
  ['broadcast', [f(3)], { shape: [2] }, 'broadcast(float32[3]): shapes [3] and [2] do not broadcast.'],
  ['broadcast', [f(2, 3)], { shape: [3] }, 'broadcast(float32[2,3]): cannot broadcast [2,3] to [3].'],
  [
    'broadcast',
    [f(3)],
    { shape: [B, 3] },
    'broadcast(float32[3]): to [B,3] needs a second operand of that shape for its rows.',
  ],
  [
    'concat',
    [f(2, 3), f(3, 3)],
    { axis: 1 },
    'concat(float32[2,3], float32[3,3]): cannot concat [3,3] to [2,3] on axis 1.',
  ],
  [
    'concat',
    [f(B, 3), f(B, 3)],
    { axis: 0 },
    'concat(float32[B,3], float32[B,3]): cannot concat [B,3] to [B,3] on axis 0.',
  ],
  ['slice', [f(5)], { axis: 0, begin: 3, end: 6 }, 'slice(float32[5]): 3:6 does not fit axis 0 of [5].'],
  ['slice', [f(B)], { axis: 0, begin: 0, end: 1 }, 'slice(float32[B]): 0:1 does not fit axis 0 of [B].'],
  ['slice', [f(5)], { axis: 0, begin: 0.5, end: 2 }, 'slice(float32[5]): 0.5:2 does not fit axis 0 of [5].'],
  [
    'gather',
    [f(3), f(3)],
    { axis: 0 },
    'gather(float32[3], float32[3]): wants int32 indices; other operands, got float32; write cast(x, dtype).',
  ],
  [
    'gather',
    [f(B, 3), i(B)],
    { axis: 1 },
    'gather(float32[B,3], int32[B]): only one of rows and indices can have the batch axis.',
  ],
  [
    'scatter',
    [f(3, 2), i(4), f(4, 3)],
    {},
    'scatter(float32[3,2], int32[4], float32[4,3]): updates [4,3] should be [4,2] for indices of rank 1.',
  ],
  [
    'scatter',
    [f(3), i(4), v('float16', 4)],
    {},
    'scatter(float32[3], int32[4], float16[4]): operands are float32 and float16; write cast(x, dtype) on one of them.',
  ],
  [
    'oneHot',
    [f(3)],
    { depth: 2, dtype: 'float32' },
    'oneHot(float32[3]): wants int32 operands, got float32; write cast(x, dtype).',
  ],
  [
    'oneHot',
    [i(3)],
    { depth: -1, dtype: 'float32' },
    'oneHot(int32[3]): depth = -1 should be a whole number, 0 or more.',
  ],
  ['iota', [], { length: -1 }, 'iota(): length = -1 should be a whole number, 0 or more.'],
  ['stopGradient', [], {}, 'stopGradient(): operand 0 is missing.'],
  [
    'composite',
    [f(2)],
    { name: 'c', body },
    'composite(float32[2]): c wants (x: float32[B]), got (float32[2]).',
  ],
];

describe('refusals', () => {
  it.each(refusals)('%s refuses %j', (op, inputs, attrs, message) => {
    const call = (): unknown => inferTypes(op, inputs, attrs as never);
    expect(call).toThrow(FkmError);
    expect(call).toThrow(`[fkm/core] ${message}`);
  });

  it('has a row for every op', () => {
    expect([...new Set(refusals.map(([op]) => op))].sort()).toEqual(Object.keys(infer).sort());
  });
});

it.each<Row>([
  ['sum', [f(2, B, 3)], { axes: [0, 2], keepDims: true }, 'float32[1,B,1]'],
  ['sum', [i(2, 3)], { axes: [0], keepDims: false }, 'int32[3]'],
  ['argMax', [f(B, 3)], { axis: 1 }, 'int32[B]'],
  ['topK', [v('float16', B, 5)], { k: 2 }, 'float16[B,2] int32[B,2]'],
  ['lt', [f(B, 1), f(4)], {}, 'bool[B,4]'],
  ['matmul', [f(2, B, 3), f(4, 3)], { transposeA: false, transposeB: true }, 'float32[2,B,4]'],
  ['gather', [f(4, 3), i(B, 2)], { axis: 0 }, 'float32[B,2,3]'],
  ['gather', [f(4, 3), i()], { axis: 1 }, 'float32[4]'],
  ['oneHot', [i(B)], { depth: 3, dtype: 'bool' }, 'bool[B,3]'],
  ['concat', [f(B, 1), f(B, 2)], { axis: 1 }, 'float32[B,3]'],
])('%s of %j gives its types', (op, inputs, attrs, expected) => {
  expect(
    inferTypes(op, inputs, attrs as never)
      .map(formatType)
      .join(' '),
  ).toBe(expected);
});
