import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { evaluateGraph } from './evaluate.js';
import * as f from './functions.js';
import { gradientGraph } from './gradients.js';
import * as op from './ops.js';
import { type Tensor, trace } from './trace.js';

/** f(x) in float32, flat. */
function run(
  build: (x: Tensor) => Tensor,
  values: readonly number[],
  shape: readonly number[] = [values.length],
): number[] {
  const graph = trace('f', { x: { shape, dtype: 'float32' } }, ({ x }) => ({ y: build(x) }));
  return Array.from(evaluateGraph(graph, [ndarray(values, shape)])[0]?.data ?? []);
}
const slopes = (build: (x: Tensor) => Tensor, values: readonly number[]): number[] => {
  const graph = trace('f', { x: { shape: [values.length], dtype: 'float32' } }, ({ x }) => ({
    y: op.sum(build(x)),
  }));
  return Array.from(
    evaluateGraph(gradientGraph(graph, 'y', ['x']), [ndarray(values, [values.length])])[1]?.data ?? [],
  );
};
const huge = [1e4, 1e4 - 1, -1e4];

describe('softmax and logSumExp', () => {
  it('are what they say', () => {
    const powers = [1, 2, 3].map(Math.exp);
    const total = powers.reduce((a, b) => a + b);
    run(f.softmax, [1, 2, 3]).forEach((y, i) => {
      expect(y).toBeCloseTo((powers[i] as number) / total, 6);
    });
    expect(run(f.logSumExp, [1, 2, 3])[0]).toBeCloseTo(Math.log(total), 6);
    expect(run(f.logSoftmax, [1, 2, 3])[2]).toBeCloseTo(3 - Math.log(total), 6);
  });

  it('do not overflow', () => {
    const share = 1 / (1 + Math.exp(-1));
    expect(run(f.softmax, huge)[0]).toBeCloseTo(share, 6);
    expect(run(f.logSumExp, huge)[0]).toBeCloseTo(1e4 - Math.log(share), 2);
    for (const slope of slopes(f.softmax, huge)) expect(slope).toBeCloseTo(0, 6);
    expect(slopes(f.logSumExp, huge)[0]).toBeCloseTo(share, 6);
  });

  it('work over the last axis', () => {
    expect(run(f.softmax, [0, 0, 5, 5], [2, 2])).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
});

it('sigmoid holds at both ends, and so does its slope', () => {
  expect(run(f.sigmoid, [0, 1000, -1000])).toEqual([0.5, 1, 0]);
  expect(run(f.sigmoid, [2, -2])[0]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  expect(slopes(f.sigmoid, [1000, -1000])).toEqual([0, 0]);
  expect(slopes(f.sigmoid, [2])[0]).toBeCloseTo(Math.exp(-2) / (1 + Math.exp(-2)) ** 2, 6);
});

it('norm stays above its floor, where it is flat', () => {
  expect(run(f.norm, [3, 4])).toEqual([5]);
  expect(run((x) => f.norm(x, 0.5), [0, 0])).toEqual([0.5]);
  expect(slopes(f.norm, [0, 0])).toEqual([0, 0]);
  expect(slopes(f.norm, [3, 4])[0]).toBeCloseTo(0.6, 6);
});

it('zerosLike is zero whatever x holds', () => {
  expect(run(f.zerosLike, [Number.NaN, Number.POSITIVE_INFINITY, -3])).toEqual([0, 0, 0]);
});

it('square, relu, clamp and or are what they say', () => {
  expect(run(f.square, [-3, 2])).toEqual([9, 4]);
  expect(run(f.relu, [-3, 2])).toEqual([0, 2]);
  expect(run((x) => f.clamp(x, -1, 1), [-3, 0.5, 2])).toEqual([-1, 0.5, 1]);
  expect(run((x) => op.cast(f.or(op.lt(x, 0), op.lt(2, x)), 'float32'), [-1, 1, 3])).toEqual([1, 0, 1]);
});

it('expandDims counts negative axes from the end of the result', () => {
  const shapes = [0, 1, -1, -2].map((axis) => {
    const graph = trace('f', { x: { shape: [2, 3], dtype: 'float32' } }, ({ x }) => ({
      y: f.expandDims(x, axis),
    }));
    return graph.outputs[0]?.variable.shape;
  });
  expect(shapes).toEqual([
    [1, 2, 3],
    [2, 1, 3],
    [2, 3, 1],
    [2, 1, 3],
  ]);
});
