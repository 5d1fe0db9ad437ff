import { expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from './evaluate.js';
import { inlineComposites } from './inline-composites.js';
import { BATCH } from './ir.js';
import { add, composite, exp, mul } from './ops.js';
import { print } from './print.js';
import { type Tensor, trace } from './trace.js';
import { verify } from './verify.js';

const nested = trace('f', { x: { shape: [BATCH], dtype: 'float32' } }, ({ x }) => {
  const outer = composite('outer', { a: x }, ({ a }) => {
    const { square } = composite('inner', { b: add(a, 1) }, ({ b }) => ({ square: mul(b, b), same: b }));
    return { left: exp(square as Tensor), right: a };
  });
  return { y: add(outer.left as Tensor, outer.right as Tensor), z: outer.right as Tensor };
});

it('replaces composites in composites, and outputs that are operands', () => {
  const flat = verify(inlineComposites(nested));
  expect(print(flat)).toMatchInlineSnapshot(`
    "f(x: f32[B]) {
      %0: f32[] = constant() {1}
      %1: f32[B] = add(x, %0)
      %2: f32[B] = mul(%1, %1)
      %3: f32[B] = exp(%2)
      %4: f32[B] = add(%3, x)
      return y=%4, z=x
    }"
  `);
  const x: NdArray = ndarray([-1, 0.5, 2], [3]);
  expect(evaluateGraph(flat, [x])).toEqual(evaluateGraph(nested, [x]));
});

it('keeps those that it is told to, with bodies as they are', () => {
  const flat = verify(inlineComposites(nested, ({ attrs }) => attrs.name === 'inner'));
  const kept = flat.equations.filter(({ op }) => op === 'composite');
  expect(flat.equations.map(({ op }) => op)).toEqual(['constant', 'add', 'composite', 'exp', 'add']);
  expect(kept).toHaveLength(1);
  const x: NdArray = ndarray([-1, 0.5, 2], [3]);
  expect(evaluateGraph(flat, [x])).toEqual(evaluateGraph(nested, [x]));
});
