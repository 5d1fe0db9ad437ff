import { describe, expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from './evaluate.js';
import { logSumExp, norm, sigmoid, softmax, square } from './functions.js';
import { gradientGraph, gradients } from './gradients.js';
import { BATCH, type Graph } from './ir.js';
import * as op from './ops.js';
import { print } from './print.js';
import { type Tensor, trace } from './trace.js';

const vector = { shape: [4], dtype: 'float32' } as const;
const point = [0.3, -0.7, 1.1, -0.2];
const float64 = (values: readonly number[]): NdArray => ({
  data: Float64Array.from(values),
  shape: [values.length],
  dtype: 'float32',
});
const scalar = (build: (x: Tensor) => Tensor): Graph =>
  trace('f', { x: vector }, ({ x }) => ({ loss: build(x) }));
const evaluate = (graph: Graph, values: readonly number[]): number[][] =>
  evaluateGraph(graph, [float64(values)], 'float64').map(({ data }) => Array.from(data));
/** d loss / d x at the point. */
const derivative = (build: (x: Tensor) => Tensor, at: readonly number[] = point): number[] =>
  evaluate(gradientGraph(scalar(build), 'loss', ['x']), at)[1] as number[];

describe('second derivatives', () => {
  const step = 1e-5;
  const direction = [0.4, -0.9, 0.5, 0.8];
  const move = (h: number): number[] => point.map((x, i) => x + h * (direction[i] as number));
  const weights = ndarray([0.5, -1, 2, 0.25], [4]);

  it.each<[string, (x: Tensor) => Tensor]>([
    ['a cubic', (x) => op.sum(op.mul(op.mul(x, x), x))],
    ['exp and log', (x) => op.sum(op.log(op.add(op.exp(x), 1)))],
    ['a quotient', (x) => op.sum(op.div(x, op.add(op.mul(x, x), 1)))],
    ['a square root', (x) => op.sum(op.sqrt(op.add(op.mul(x, x), 1)))],
    ['softmax', (x) => op.sum(op.mul(softmax(x), op.constantLike(x, weights)))],
    ['logSumExp', (x) => op.sum(logSumExp(x))],
    ['sigmoid', (x) => op.sum(square(sigmoid(x)))],
    ['norm', (x) => op.sum(norm(x))],
    [
      'a product of matrices',
      (x) => op.sum(square(op.matmul(op.reshape(x, [2, 2]), op.reshape(op.exp(x), [2, 2])))),
    ],
    [
      'gather and slice',
      (x) => op.sum(op.mul(op.gather(square(x), op.iota(x, 3)), op.slice(square(x), 0, 1, 4))),
    ],
    ['topK and reduceMax', (x) => op.mul(op.sum(square(op.topK(x, 2).values)), op.reduceMax(op.exp(x)))],
    [
      'a composite',
      (x) => op.sum(op.composite('cube', { x }, (t) => ({ y: op.mul(square(t.x), t.x) })).y as Tensor),
    ],
  ])('%s', (_, build) => {
    // ∇(∇f·v)·v against the second difference of f's derivative along v.
    const along = (x: Tensor): Tensor => {
      const [g] = gradients(build(x), [x]) as [Tensor];
      return op.sum(op.mul(g, op.constantLike(x, ndarray(direction, [4]))));
    };
    const dot = (g: readonly number[]): number =>
      g.reduce((total, gi, i) => total + gi * (direction[i] as number), 0);
    const slope = dot(derivative(along));
    const difference =
      (dot(derivative(build, move(step))) - dot(derivative(build, move(-step)))) / (2 * step);
    expect(Math.abs(slope)).toBeGreaterThan(1e-3);
    expect(Math.abs(slope - difference)).toBeLessThan(1e-5 * (1 + Math.abs(slope)));
  });
});

describe('conventions at kinks and ties', () => {
  it('abs has no slope at zero', () => {
    expect(derivative((x) => op.sum(op.abs(x)), [0, -0, 2, -2])).toEqual([0, 0, 1, -1]);
  });

  it('max and min give a tie to the first operand', () => {
    expect(derivative((x) => op.sum(op.max(x, 0)), [0, 1, -1, 0])).toEqual([1, 1, 0, 1]);
    expect(derivative((x) => op.sum(op.max(0, x)), [0, 1, -1, 0])).toEqual([0, 1, 0, 0]);
    expect(derivative((x) => op.sum(op.min(x, 0)), [0, 1, -1, 0])).toEqual([1, 0, 1, 1]);
  });

  it('reduceMax shares among equal maxima', () => {
    expect(derivative((x) => op.reduceMax(x), [3, 1, 3, 3]).map((g) => g.toFixed(4))).toEqual([
      '0.3333',
      '0.0000',
      '0.3333',
      '0.3333',
    ]);
  });

  it('topK gives the derivative to the entries it chose', () => {
    expect(derivative((x) => op.sum(op.topK(x, 2).values), [3, 3, 1, 3])).toEqual([1, 1, 0, 0]);
  });

  it('gather adds up where an entry is read twice', () => {
    const indices = ndarray([1, 1, 3], [3], 'int32');
    expect(derivative((x) => op.sum(op.gather(x, op.constantLike(x, indices))))).toEqual([0, 2, 0, 1]);
  });
});

describe('what has no derivative', () => {
  it('is zero: constants, comparisons, indices, stopGradient', () => {
    expect(derivative((x) => op.sum(op.stopGradient(x)))).toEqual([0, 0, 0, 0]);
    expect(derivative((x) => op.sum(op.cast(op.lt(x, 0), 'float32')))).toEqual([0, 0, 0, 0]);
    expect(derivative((x) => op.cast(op.argMax(x), 'float32'))).toEqual([0, 0, 0, 0]);
    expect(derivative((x) => op.sum(op.mul(x, op.stopGradient(x))))).toEqual(point);
  });

  it('is zero even where the input is NaN', () => {
    expect(derivative((x) => op.sum(op.stopGradient(x)), [Number.NaN, 1, 2, 3])).toEqual([0, 0, 0, 0]);
  });

  it('stays out of a branch that select did not take', () => {
    expect(
      derivative((x) => op.sum(op.select(op.lt(x, 0), 0, op.sqrt(op.max(x, 0.01)))), [-1, -2, 4, -3]),
    ).toEqual([0, 0, 0.25, 0]);
  });
});

describe('composites', () => {
  type Two = (a: Tensor, b: Tensor) => Tensor;
  const product: Two = (a, b) =>
    op.composite('product', { a, b }, (t) => ({ y: op.mul(t.a, t.b) })).y as Tensor;

  it.each<[string, (mul: Two, x: Tensor) => Tensor]>([
    ['one operand twice', (mul, x) => mul(x, x)],
    ['one operand computed from the other', (mul, x) => mul(x, op.exp(x))],
    [
      'inside another',
      (mul, x) => op.composite('outer', { x }, (t) => ({ y: mul(t.x, square(t.x)) })).y as Tensor,
    ],
  ])('differentiate as their body: %s', (_, build) => {
    const plain = derivative((x) => op.sum(build(op.mul, x)));
    derivative((x) => op.sum(build(product, x))).forEach((g, i) => {
      expect(g).toBeCloseTo(plain[i] as number, 12);
    });
  });

  it('differentiate as they say, of inputs, outputs and cotangents, where they say so', () => {
    const build = (x: Tensor): Tensor => {
      const { y } = op.composite(
        'line',
        { x },
        (t) => ({ y: op.add(op.mul(t.x, 2), 1) }),
        (t) => ({ x: op.mul(op.sub(t.y as Tensor, t.x as Tensor), t['d.y'] as Tensor) }),
      );
      return op.sum(op.mul(y as Tensor, 3));
    };
    // Not the derivative of the body, which is 6 everywhere: 3·(y − x) = 3·(x + 1).
    expect(derivative(build, [1, 2, 3, 4])).toEqual([6, 9, 12, 15]);
  });

  it('ignore outputs that are not used, of any dtype', () => {
    const build = (x: Tensor): Tensor => {
      const all = op.composite('many', { x }, (t) => ({
        low: op.lt(t.x, 0),
        y: square(t.x),
        best: op.argMax(t.x),
        other: op.exp(t.x),
      }));
      return op.sum(all.y as Tensor);
    };
    expect(derivative(build)).toEqual(point.map((x) => 2 * x));
  });
});

describe('gradients and gradientGraph', () => {
  it('give the whole derivative by each of two dependent tensors', () => {
    const graph = trace('f', { x: vector }, ({ x }) => {
      const y = square(x);
      const [dx, dy] = gradients(op.sum(op.mul(y, x)), [x, y]) as [Tensor, Tensor];
      return { dx, dy };
    });
    const [dx, dy] = evaluate(graph, [1, 2, 3, 4]);
    expect(dx).toEqual([3, 12, 27, 48]);
    expect(dy).toEqual([1, 2, 3, 4]);
  });

  it('leave nothing but what is asked for', () => {
    const graph = trace(
      'f',
      { x: { shape: [BATCH, 3], dtype: 'float32' }, w: { shape: [3, 2], dtype: 'float32' } },
      ({ x, w }) => ({ loss: op.sum(square(op.matmul(x, w))), unused: op.exp(x) }),
    );
    expect(print(gradientGraph(graph, 'loss', ['w']))).toMatchInlineSnapshot(`
      "f.gradient(x: f32[B,3], w: f32[3,2]) {
        %0: f32[B,2] = matmul(x, w)
        %1: f32[B,2] = mul(%0, %0)
        %2: f32[] = sum(%1) axes=[0,1]
        %3: f32[B,2] = add(%0, %0)
        %4: f32[3,2] = matmul(x, %3) transposeA=true
        return loss=%2, d.w=%4
      }"
    `);
  });

  it('refuse a loss that is no scalar, and names that do not exist', () => {
    expect(() => scalar((x) => gradients(x, [x])[0] as Tensor)).toThrow(
      'gradients: the loss should be a scalar; sum it first.',
    );
    const graph = scalar((x) => op.sum(x));
    expect(() => gradientGraph(graph, 'cost', ['x'])).toThrow('gradientGraph: f has no output cost.');
    expect(() => gradientGraph(graph, 'loss', ['z'])).toThrow('gradientGraph: f has no input z.');
  });
});
