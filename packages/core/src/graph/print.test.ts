import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { logSoftmax } from './functions.js';
import { gradientGraph } from './gradients.js';
import { BATCH, type Graph } from './ir.js';
import { add, concat, constantLike, div, matmul, mul, neg, sum, topK, transpose } from './ops.js';
import { graphKey, print } from './print.js';
import { simplify } from './simplify.js';
import { trace } from './trace.js';

/** −mean log softmax(xW + b) at the labels, which come one-hot: small, and it meets most of the op set. */
const regression = trace(
  'softmaxRegression',
  {
    x: { shape: [BATCH, 4], dtype: 'float32' },
    labels: { shape: [BATCH, 3], dtype: 'float32' },
    w: { shape: [4, 3], dtype: 'float32' },
    b: { shape: [3], dtype: 'float32' },
  },
  ({ x, labels, w, b }) => ({ loss: neg(sum(mul(labels, logSoftmax(add(matmul(x, w), b))))) }),
);

it('prints a loss', () => {
  expect(print(regression)).toMatchInlineSnapshot(`
    "softmaxRegression(x: f32[B,4], labels: f32[B,3], w: f32[4,3], b: f32[3]) {
      %0: f32[B,3] = matmul(x, w)
      %1: f32[B,3] = add(%0, b)
      %2: f32[B,1] = reduceMax(%1) keepDims=true axes=[1]
      %3: f32[B,1] = stopGradient(%2)
      %4: f32[B,3] = sub(%1, %3)
      %5: f32[B,3] = exp(%4)
      %6: f32[B,1] = sum(%5) keepDims=true axes=[1]
      %7: f32[B,1] = log(%6)
      %8: f32[B,1] = add(%7, %3)
      %9: f32[B,3] = sub(%1, %8)
      %10: f32[B,3] = mul(labels, %9)
      %11: f32[] = sum(%10) axes=[0,1]
      %12: f32[] = neg(%11)
      return loss=%12
    }"
  `);
});

it('prints its gradient', () => {
  expect(print(gradientGraph(regression, 'loss', ['w', 'b']))).toMatchInlineSnapshot(`
    "softmaxRegression.gradient(x: f32[B,4], labels: f32[B,3], w: f32[4,3], b: f32[3]) {
      %0: f32[B,3] = matmul(x, w)
      %1: f32[B,3] = add(%0, b)
      %2: f32[B,1] = reduceMax(%1) keepDims=true axes=[1]
      %3: f32[B,1] = stopGradient(%2)
      %4: f32[B,3] = sub(%1, %3)
      %5: f32[B,3] = exp(%4)
      %6: f32[B,1] = sum(%5) keepDims=true axes=[1]
      %7: f32[B,1] = log(%6)
      %8: f32[B,1] = add(%7, %3)
      %9: f32[B,3] = sub(%1, %8)
      %10: f32[B,3] = mul(labels, %9)
      %11: f32[] = sum(%10) axes=[0,1]
      %12: f32[] = neg(%11)
      %13: f32[1,1] = constant() {-1}
      %14: f32[B,3] = mul(%13, labels)
      %15: f32[B,3] = neg(%14)
      %16: f32[B,1] = sum(%15) keepDims=true axes=[1]
      %17: f32[B,1] = div(%16, %6)
      %18: f32[B,3] = mul(%17, %5)
      %19: f32[B,3] = add(%14, %18)
      %20: f32[1,3] = sum(%19) keepDims=true axes=[0]
      %21: f32[3] = reshape(%20) shape=[3]
      %22: f32[4,3] = matmul(x, %19) transposeA=true
      return loss=%12, d.w=%22, d.b=%21
    }"
  `);
});

it('prints attributes, several outputs and large constants', () => {
  const graph = trace('attributes', { x: { shape: [2, 9], dtype: 'float16' } }, ({ x }) => {
    const { values, indices } = topK(x, 2);
    const table = constantLike(
      x,
      ndarray(
        Array.from({ length: 9 }, (_, i) => i),
        [9],
        'float16',
      ),
    );
    return {
      values: concat([values, add(x, table)], 1),
      indices,
      turned: transpose(x),
      total: sum(x, [0, 1], { keepDims: true }),
      product: matmul(x, x, { transposeB: true }),
    };
  });
  expect(print(simplify(graph))).toMatchInlineSnapshot(`
    "attributes(x: f16[2,9]) {
      %0: f16[2,2], %1: i32[2,2] = topK(x) k=2
      %2: f16[9] = constant() #521e062f3b21
      %3: f16[2,9] = add(x, %2)
      %4: f16[2,11] = concat(%0, %3) axis=1
      %5: f16[9,2] = transpose(x) permutation=[1,0]
      %6: f16[1,1] = sum(x) keepDims=true axes=[0,1]
      %7: f16[2,2] = matmul(x, x) transposeB=true
      return values=%4, indices=%1, turned=%5, total=%6, product=%7
    }"
  `);
});

describe('graphKey', () => {
  const scaled = (by: number): Graph =>
    trace('f', { x: { shape: [2], dtype: 'float32' } }, ({ x }) => ({ y: div(x, by) }));
  const table = (values: number[]): Graph =>
    trace('f', { x: { shape: [100], dtype: 'float32' } }, ({ x }) => ({
      y: add(x, constantLike(x, ndarray(values, [100]))),
    }));
  const values = Array.from({ length: 100 }, (_, i) => i);

  it('is equal for graphs traced twice', () => {
    expect(graphKey(scaled(2))).toBe(graphKey(scaled(2)));
    expect(graphKey(table(values))).toBe(graphKey(table(values)));
  });

  it('differs where one number of a constant differs, the sign of zero included', () => {
    const keys = [scaled(2), scaled(3), scaled(0), scaled(-0)].map(graphKey);
    expect(new Set(keys).size).toBe(4);
    const all = values.map((_, i) => graphKey(table(values.map((x, j) => (i === j ? x + 1 : x)))));
    expect(new Set([...all, graphKey(table(values))]).size).toBe(101);
  });

  it('differs where attributes, types or port names differ', () => {
    const spec = { shape: [3, 3], dtype: 'float32' } as const;
    const keys = [
      trace('f', { x: spec }, ({ x }) => ({ y: sum(x, 0) })),
      trace('f', { x: spec }, ({ x }) => ({ y: sum(x, 1) })),
      trace('f', { z: spec }, ({ z }) => ({ y: sum(z, 1) })),
      trace('f', { x: spec }, ({ x }) => ({ z: sum(x, 1) })),
      trace('f', { x: { ...spec, dtype: 'float16' } }, ({ x }) => ({ y: sum(x, 1) })),
      trace('f', { x: { ...spec, shape: [BATCH, 3] } }, ({ x }) => ({ y: sum(x, 1) })),
      trace('f', { x: spec }, ({ x }) => ({ y: matmul(x, x, { transposeA: true }) })),
      trace('f', { x: spec }, ({ x }) => ({ y: matmul(x, x, { transposeB: true }) })),
    ].map(graphKey);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
