import { describe, expect, it } from 'vitest';
import { GraphError } from '../errors.js';
import { BATCH, type Equation, type Graph, type Var } from './ir.js';
import { add, composite, exp, matmul, neg } from './ops.js';
import { trace } from './trace.js';
import { verify } from './verify.js';

const graph = trace(
  'layer',
  { x: { shape: [BATCH, 3], dtype: 'float32' }, w: { shape: [3, 2], dtype: 'float32' } },
  ({ x, w }) => ({ y: exp(matmul(x, w)) }),
);
const [product, powers] = graph.equations as [Equation, Equation];
const [x] = graph.inputs.map((port) => port.variable) as [Var];
const message = (malformed: Graph): string => {
  try {
    verify(malformed);
  } catch (error) {
    expect(error).toBeInstanceOf(GraphError);
    return (error as Error).message.replace('[fkm/core] ', '');
  }
  return 'accepted';
};

it('gives a well-formed graph back', () => {
  expect(verify(graph)).toBe(graph);
});

describe('a malformed graph is named with its op, operands and shapes', () => {
  const as = (v: Var, changes: Partial<Var>): Var => ({ ...v, ...changes });

  it.each<[string, Partial<Graph>, string]>([
    [
      'an operand that is defined later',
      { equations: [powers, product] },
      'layer: equation 0, exp(float32[B,2]) uses %2 before it is defined.',
    ],
    [
      'an operand that is never defined',
      { equations: [powers] },
      'layer: equation 0, exp(float32[B,2]) uses %2 before it is defined.',
    ],
    [
      'a variable defined twice',
      { equations: [product, product] },
      'layer: equation 1, matmul(float32[B,3], float32[3,2]) defines %2 a second time.',
    ],
    [
      'an operand of another type than defined',
      { equations: [{ ...product, inputs: [as(x, { shape: [4, 3] }), product.inputs[1] as Var] }, powers] },
      'layer: equation 0, matmul(float32[4,3], float32[3,2]) takes %0 for float32[4,3], but it is float32[B,3].',
    ],
    [
      'a declared type that the op does not give',
      { equations: [product, { ...powers, outputs: [as(powers.outputs[0] as Var, { dtype: 'float16' })] }] },
      'layer: equation 1, exp(float32[B,2]) gives float32[B,2], but is declared as float16[B,2].',
    ],
    [
      'too many outputs',
      { equations: [{ ...product, outputs: [...product.outputs, as(x, { id: 9 })] }, powers] },
      'layer: equation 0, matmul(float32[B,3], float32[3,2]) gives float32[B,2], but is declared as float32[B,2],float32[B,3].',
    ],
    [
      'operands that do not fit the op',
      { equations: [{ ...product, inputs: [x, x] }, powers] },
      'layer: equation 0, matmul(float32[B,3], float32[B,3]): inner sizes differ: [B,3] and [B,3].',
    ],
    [
      'an op that does not exist',
      { equations: [{ ...product, op: 'conv' as 'exp', inputs: [x] }, powers] },
      'layer: equation 0, conv(float32[B,3]): there is no such op.',
    ],
    [
      'an output that is never defined',
      { outputs: [{ name: 'y', variable: as(x, { id: 42 }) }] },
      'layer: output y uses %42 before it is defined.',
    ],
    [
      'an output of another type than defined',
      { outputs: [{ name: 'y', variable: as(x, { dtype: 'int32' }) }] },
      'layer: output y takes %0 for int32[B,3], but it is float32[B,3].',
    ],
    [
      'two outputs of one name',
      { outputs: [...graph.outputs, ...graph.outputs] },
      'layer: two outputs are called y.',
    ],
    [
      'two inputs of one name',
      { inputs: [...graph.inputs, ...graph.inputs] },
      'layer: two inputs are called x.',
    ],
    [
      'an impossible axis',
      { inputs: [{ name: 'x', variable: as(x, { shape: [-2, 3] }) }] },
      'layer: input x has the impossible type float32[-2,3].',
    ],
    [
      'a fractional axis',
      { inputs: [{ name: 'x', variable: as(x, { shape: [1.5] }) }] },
      'layer: input x has the impossible type float32[1.5].',
    ],
    [
      'two batch axes',
      { inputs: [{ name: 'x', variable: as(x, { shape: [BATCH, BATCH] }) }] },
      'layer: input x has the impossible type float32[B,B].',
    ],
  ])('%s', (_, changes, expected) => {
    expect(message({ ...graph, ...changes })).toBe(expected);
  });

  it('in the body of a composite, by the name of the body', () => {
    const outer = trace('outer', { x: { shape: [2], dtype: 'float32' } }, ({ x: a }) => ({
      y: composite('inner', { a }, (t) => ({ y: add(neg(t.a), 1) })).y as never,
    }));
    const [equation] = outer.equations as [Equation<'composite'>];
    const body = { ...equation.attrs.body, equations: equation.attrs.body.equations.slice(1) };
    expect(message({ ...outer, equations: [{ ...equation, attrs: { ...equation.attrs, body } }] })).toMatch(
      /^inner: equation 1, add\(float32\[2\], float32\[\]\) uses %1 before it is defined\.$/,
    );
  });
});
