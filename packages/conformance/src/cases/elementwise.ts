// Cases of the ops that work element by element.

import * as g from '@fkm/core/graph';
import { BATCH as B, type Shape, type Tensor } from '@fkm/core/graph';
import { everyType, floats, numeric, type Template } from '../case.js';
import { bools, type Domain, distinct, integers, listed, nonZero, uniform } from '../random.js';

const ops = {
  add: g.add,
  sub: g.sub,
  mul: g.mul,
  div: g.div,
  max: g.max,
  min: g.min,
  eq: g.eq,
  lt: g.lt,
  neg: g.neg,
  abs: g.abs,
  exp: g.exp,
  log: g.log,
  sqrt: g.sqrt,
};

/** Every way of broadcasting two operands. */
const pairs: readonly (readonly Shape[])[] = [
  [[B, 3], [3]],
  [
    [B, 1],
    [1, 4],
  ],
  [
    [B, 3],
    [B, 3],
  ],
  [[3], [B, 3]],
  [[B, 3], []],
  [[], [B, 3]],
  [[], []],
  [[1], [1]],
  [[B], [B]],
  [
    [B, 3],
    [B, 1],
  ],
  [
    [B, 2, 3],
    [2, 1],
  ],
  [
    [1, 4],
    [B, 1],
  ],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
  ],
  [[7, 97], [97]],
];

const ones: readonly (readonly Shape[])[] = [[[B, 3]], [[]], [[5]], [[B, 2, 3]], [[2, 3, 4, 5]], [[3, 97]]];

const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1.5];
const everyPair: readonly (readonly Shape[])[] = [
  [
    [special.length, 1],
    [1, special.length],
  ],
];

type BinaryName = 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min' | 'eq' | 'lt';

function binary(op: BinaryName, domains: { float: Domain; second?: Domain; int?: Domain }): Template[] {
  const build = (x: readonly Tensor[]): Tensor => ops[op](x[0] as Tensor, x[1] as Tensor);
  const compares = op === 'eq' || op === 'lt';
  const common = { op, build, ...(compares ? {} : { wrt: [0, 1] }) };
  const second = domains.second ?? domains.float;
  return [
    { ...common, dtypes: floats, shapes: pairs, values: [domains.float, second] },
    { ...common, dtypes: ['int32'], shapes: pairs.slice(0, 3), values: domains.int ?? integers(-9, 9) },
    { ...common, dtypes: floats, shapes: everyPair, values: listed(special), tag: 'special values', wrt: [] },
  ];
}

/** The second operand of max and min, offset by half a step from the first, so that there are no ties. */
const between: Domain = (size, random) => distinct(size, random).map((x) => x + 1 / 16);

type UnaryName = 'neg' | 'abs' | 'exp' | 'log' | 'sqrt';

const unary = (
  op: UnaryName,
  dtypes: Template['dtypes'],
  values: Domain,
  rest: Partial<Template> = {},
): Template => ({
  op,
  dtypes,
  shapes: ones,
  values,
  build: ([x]) => ops[op](x as Tensor),
  wrt: [0],
  ...rest,
});

const specialUnary = (op: UnaryName, values: readonly number[], tag = 'special values'): Template =>
  unary(op, floats, listed(values), { shapes: [[[values.length]]], tag, wrt: [] });

const inf = Number.POSITIVE_INFINITY;
const tiny = [1e-40, -1e-40, 1e-45, 0];

const select: Template[] = everyType.map((dtype) => ({
  op: 'select',
  dtypes: [dtype],
  shapes: [
    [[B, 3], [B, 3], [3]],
    [[B, 1], [3], []],
    [[3], [B, 3], [B, 1]],
    [[], [], []],
    [
      [2, 1, 3],
      [4, 1],
      [2, 1, 1],
    ],
  ],
  values: dtype === 'bool' ? bools : [bools, nonZero, nonZero],
  operands: ['bool'],
  build: ([c, x, y]) => g.select(c as Tensor, x as Tensor, y as Tensor),
  wrt: [1, 2],
}));

const casts: Template[] = everyType.flatMap((from) =>
  everyType
    .filter((to) => to !== from)
    .map((to) => ({
      op: 'cast' as const,
      tag: `to ${to}`,
      dtypes: [from],
      shapes: [[[B, 3]], [[]]],
      values: from === 'bool' ? bools : from === 'int32' || to === 'bool' ? integers(-3, 3) : uniform(-9, 9),
      build: ([x]: readonly Tensor[]): Tensor => g.cast(x as Tensor, to),
      ...(g.isFloat(to) ? { wrt: [0] } : {}),
      smooth: from === 'float32' && to === 'float32',
    })),
);

export const elementwise: readonly Template[] = [
  ...binary('add', { float: uniform(-2, 2) }),
  ...binary('sub', { float: uniform(-2, 2) }),
  ...binary('mul', { float: uniform(-2, 2) }),
  ...binary('div', { float: uniform(-2, 2), second: nonZero, int: integers(1, 9) }),
  {
    op: 'div',
    tag: 'rounds toward zero',
    dtypes: ['int32'],
    shapes: [[[4], [4]]],
    values: [listed([7, -7, 7, -7]), listed([2, 2, -2, -2])],
    build: ([x, y]) => g.div(x as Tensor, y as Tensor),
  },
  ...binary('max', { float: distinct, second: between }),
  ...binary('min', { float: distinct, second: between }),
  ...(['max', 'min'] as const).map(
    (op): Template => ({
      op,
      tag: 'ties',
      dtypes: floats,
      shapes: [[[B, 4], [4]]],
      values: integers(0, 1),
      build: ([x, y]) => ops[op](x as Tensor, y as Tensor),
      wrt: [0, 1],
      smooth: false,
    }),
  ),
  ...binary('eq', { float: integers(0, 2), int: integers(0, 2) }),
  ...binary('lt', { float: integers(0, 2), int: integers(0, 2) }),
  // float32 cannot distinguish these numbers from their neighbours, so int32 has to be computed as int32.
  ...(['add', 'sub', 'max', 'min', 'eq', 'lt'] as const).map(
    (op): Template => ({
      op,
      tag: 'large integers',
      dtypes: ['int32'],
      shapes: [
        [
          [4, 1],
          [1, 4],
        ],
      ],
      values: listed([2 ** 24, 2 ** 24 + 1, -(2 ** 30) - 1, 2 ** 30 - 1]),
      build: ([x, y]) => ops[op](x as Tensor, y as Tensor),
    }),
  ),
  ...(['eq', 'lt'] as const).map(
    (op): Template => ({
      op,
      tag: 'denormals',
      dtypes: ['float32'],
      shapes: [
        [
          [tiny.length, 1],
          [1, tiny.length],
        ],
      ],
      values: listed(tiny),
      build: ([x, y]) => ops[op](x as Tensor, y as Tensor),
    }),
  ),
  unary('neg', numeric, integers(-9, 9)),
  unary('abs', numeric, integers(-9, 9), { smooth: false }),
  unary('abs', floats, nonZero, { tag: 'away from zero' }),
  unary('exp', floats, uniform(-4, 4)),
  unary('log', floats, uniform(0.1, 5)),
  unary('sqrt', floats, uniform(0.1, 5)),
  specialUnary('neg', special),
  specialUnary('abs', special),
  specialUnary('exp', [...special, 88, -87, 100, -200]),
  specialUnary('log', [...special, inf, 1e4, 6e-5]),
  specialUnary('sqrt', [...special, inf]),
  unary('log', ['float32'], listed([1e-40, 1e-44]), { shapes: [[[2]]], tag: 'denormals', wrt: [] }),
  unary('exp', ['float32'], listed([-88, -100]), {
    shapes: [[[2]]],
    tag: 'denormals',
    wrt: [],
    scale: 1e-38,
  }),
  {
    op: 'and',
    dtypes: ['bool'],
    shapes: pairs,
    values: bools,
    build: ([x, y]) => g.and(x as Tensor, y as Tensor),
  },
  { op: 'not', dtypes: ['bool'], shapes: ones, values: bools, build: ([x]) => g.not(x as Tensor) },
  ...select,
  {
    op: 'select',
    tag: 'special values',
    dtypes: floats,
    shapes: [[[2, 1], [special.length], []]],
    values: [listed([1, 0]), listed(special), listed([-0])],
    operands: ['bool'],
    build: ([c, x, y]) => g.select(c as Tensor, x as Tensor, y as Tensor),
    signedZero: true,
  },
  ...casts,
  {
    op: 'cast',
    tag: 'to int32 rounds toward zero',
    dtypes: floats,
    shapes: [[[6]]],
    values: listed([1.5, -1.5, 2.75, -2.75, 0.5, -0.5]),
    build: ([x]) => g.cast(x as Tensor, 'int32'),
  },
  {
    op: 'cast',
    tag: 'ties to even, overflow',
    dtypes: ['float32'],
    shapes: [[[8]]],
    values: listed([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, -70000, 2 ** -25, inf, Number.NaN]),
    build: ([x]) => g.cast(x as Tensor, 'float16'),
  },
  {
    op: 'stopGradient',
    dtypes: everyType,
    shapes: ones,
    values: integers(0, 1),
    build: ([x]) => g.stopGradient(x as Tensor),
  },
];
