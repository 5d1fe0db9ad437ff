import { describe, expect, it, vi } from 'vitest';
import { ndarray } from '../dtype.js';
import { GraphError } from '../errors.js';
import { evaluateGraph } from './evaluate.js';
import { BATCH, type Graph } from './ir.js';
import {
  add,
  argMax,
  composite,
  constantLike,
  exp,
  lt,
  matmul,
  mul,
  neg,
  select,
  sub,
  sum,
  topK,
} from './ops.js';
import { print } from './print.js';
import { inline, Tensor, trace } from './trace.js';

const spec = { shape: [BATCH, 3], dtype: 'float32' } as const;
const unaryTrace = (build: (x: Tensor) => Tensor): Graph =>
  trace('f', { x: spec }, ({ x }) => ({ y: build(x) }));
const count = (build: (x: Tensor) => Tensor): number => unaryTrace(build).equations.length;

describe('common subexpressions', () => {
  it('one equation for equal ones', () => {
    expect(count((x) => add(exp(x), exp(x)))).toBe(2);
    expect(count((x) => add(sum(x, -1), sum(x, 1)))).toBe(2);
    expect(count((x) => add(topK(x, 2).values, topK(x, 2).values))).toBe(2);
    expect(count((x) => mul(add(x, 1), add(x, 1)))).toBe(3);
  });

  it('two equations where operands, their order, attributes or constants differ', () => {
    expect(count((x) => add(sub(x, neg(x)), sub(neg(x), x)))).toBe(4);
    expect(count((x) => add(sum(x, -1, { keepDims: true }), sum(x, 0, { keepDims: true })))).toBe(3);
    expect(count((x) => mul(add(x, 0), add(x, -0)))).toBe(5);
    expect(count((x) => add(topK(x, 1).values, topK(x, 3).values))).toBe(3);
  });

  it('constants are one by content, not by identity', () => {
    const array = (): ReturnType<typeof ndarray> => ndarray([1, 2, 3], [3]);
    expect(count((x) => add(add(x, constantLike(x, array())), constantLike(x, array())))).toBe(3);
  });
});

describe('host code on traced values', () => {
  const message =
    /float32\[B,3\] is traced and has no value yet: write select\(condition, a, b\) instead of if/;

  it.each([
    ['a comparison', (x: Tensor) => ((x as unknown as number) > 0 ? x : neg(x))],
    ['arithmetic', (x: Tensor) => (x as unknown as number) + 1],
    ['a template', (x: Tensor) => `${x as unknown as string}`],
    ['Number()', (x: Tensor) => Number(x)],
  ])('%s throws and says what to write', (_, use) => {
    expect(() => unaryTrace((x) => use(x) as Tensor)).toThrow(message);
    expect(() => unaryTrace((x) => use(x) as Tensor)).toThrow(GraphError);
  });

  it('an axis that does not exist is named with the type', () => {
    expect(() => unaryTrace((x) => constantLike(x, x.dim(2)))).toThrow(
      'axis 2 does not exist in float32[B,3].',
    );
    expect(unaryTrace((x) => constantLike(x, x.dim(-1))).equations[0]?.attrs).toEqual({
      value: ndarray([3], []),
    });
  });
});

describe('other traces', () => {
  let stranger: Tensor;
  unaryTrace((x) => {
    stranger = x;
    return x;
  });

  it('an operand of another trace is refused', () => {
    expect(() => unaryTrace((x) => add(x, stranger))).toThrow('add: an operand belongs to another trace');
  });

  it('an output of another trace is refused', () => {
    expect(() => unaryTrace(() => stranger)).toThrow('trace f: output y belongs to another trace');
  });

  it('a composite cannot reach around its inputs', () => {
    expect(() =>
      unaryTrace((x) => composite('c', { a: x }, ({ a }) => ({ y: add(a, x) })).y as Tensor),
    ).toThrow('another trace');
  });
});

describe('operands', () => {
  it('numbers take the dtype of the tensor beside them', () => {
    const graph = trace(
      'f',
      { i: { shape: [2], dtype: 'int32' }, h: { shape: [2], dtype: 'float16' } },
      ({ i, h }) => ({
        a: add(i, 1),
        b: select(lt(h, 0), 2, h),
      }),
    );
    expect(graph.outputs.map((port) => port.variable.dtype)).toEqual(['int32', 'float16']);
  });

  it('numbers alone are refused', () => {
    expect(() => add(1, 2)).toThrow('add of numbers alone: compute it on the host.');
  });
});

describe('inline', () => {
  const graph = trace('affine', { x: spec, w: { shape: [3, 2], dtype: 'float32' } }, ({ x, w }) => ({
    y: matmul(x, w),
    best: argMax(matmul(x, w)),
  }));

  it('replays a graph within another', () => {
    const twice = trace('twice', { x: spec, w: { shape: [3, 2], dtype: 'float32' } }, ({ x, w }) => {
      const { y } = inline(graph, [neg(x), w]);
      return { y: y as Tensor };
    });
    const inputs = [ndarray([1, 2, 3], [1, 3]), ndarray([1, 2, 3, 4, 5, 6], [3, 2])];
    const [straight] = evaluateGraph(graph, inputs);
    const [replayed] = evaluateGraph(twice, inputs);
    expect(Array.from(replayed?.data ?? [])).toEqual(Array.from(straight?.data ?? [], (x) => -x));
  });

  it('names a missing input', () => {
    expect(() => unaryTrace((x) => inline(graph, [x]).y as Tensor)).toThrow(
      'inline affine: input w is missing.',
    );
  });
});

it('a composite carries its body and its outputs by name', () => {
  const graph = trace('f', { x: spec }, ({ x }) => {
    const { low, high } = composite('both', { x }, ({ x: a }) => ({ high: add(a, 1), low: sub(a, 1) }));
    return { low: low as Tensor, high: high as Tensor };
  });
  expect(print(graph)).toMatchInlineSnapshot(`
    "f(x: f32[B,3]) {
      %0: f32[B,3], %1: f32[B,3] = composite(x) name=both both(x: f32[B,3]) {
        %0: f32[] = constant() {1}
        %1: f32[B,3] = add(x, %0)
        %2: f32[B,3] = sub(x, %0)
        return high=%1, low=%2
      }
      return low=%1, high=%0
    }"
  `);
  expect(evaluateGraph(graph, [ndarray([1, 2, 3], [1, 3])]).map(({ data }) => Array.from(data))).toEqual([
    [0, 1, 2],
    [2, 3, 4],
  ]);
});

it('tensors of two copies of the package make one graph', async () => {
  vi.resetModules();
  const other = await import('./ops.js');
  const copy = await import('./trace.js');
  expect(copy.Tensor).not.toBe(Tensor);
  const graph = trace('both', { x: { shape: [2], dtype: 'float32' } }, ({ x }) => ({
    y: other.select(other.lt(x, 0), other.mul(x, 2), add(x, 1)),
  }));
  const [y] = evaluateGraph(graph, [ndarray([-3, 3], [2])]);
  expect(Array.from(y?.data ?? [])).toEqual([-6, 4]);
});
