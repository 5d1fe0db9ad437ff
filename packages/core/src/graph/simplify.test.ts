import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NdArray, ndarray, type Shape, sizeOf } from '../dtype.js';
import { evaluateGraph } from './evaluate.js';
import { BATCH, type Graph } from './ir.js';
import * as op from './ops.js';
import { print } from './print.js';
import { simplify } from './simplify.js';
import { type Tensor, trace } from './trace.js';
import { verify } from './verify.js';

const x3 = { shape: [BATCH, 3], dtype: 'float32' } as const;
const opsOf = (build: (x: Tensor) => Tensor): string[] =>
  simplify(trace('f', { x: x3 }, ({ x }) => ({ y: build(x) }))).equations.map((equation) => equation.op);

describe('what it removes', () => {
  it('folds constants', () => {
    const graph = trace('f', { x: x3 }, ({ x }) => {
      const table = op.constantLike(x, ndarray([1, 2, 3], [3]));
      return { y: op.mul(x, op.add(op.exp(op.sub(table, table)), op.mul(table, 2))) };
    });
    expect(print(simplify(graph))).toMatchInlineSnapshot(`
      "f(x: f32[B,3]) {
        %0: f32[3] = constant() {3, 5, 7}
        %1: f32[B,3] = mul(x, %0)
        return y=%1
      }"
    `);
  });

  it('folds several outputs and leaves large results alone', () => {
    const large = (size: number): string[] =>
      opsOf((x) => op.add(op.sum(op.broadcast(op.constantLike(x, ndarray([1], [1])), [size])), x));
    expect(large(4096)).toEqual(['constant', 'add']);
    expect(large(4097)).toEqual(['constant', 'broadcast', 'sum', 'add']);
    expect(
      opsOf((x) => {
        const { values, indices } = op.topK(op.constantLike(x, ndarray([3, 9, 5], [3])), 2);
        return op.add(op.add(x, op.sum(values)), op.sum(op.cast(indices, 'float32')));
      }),
    ).toEqual(['constant', 'add', 'constant', 'add']);
  });

  it('drops x + 0, 0 + x, x − 0, 1·x, x·1 and x / 1', () => {
    expect(opsOf((x) => op.div(op.mul(1, op.mul(op.sub(op.add(0, op.add(x, 0)), 0), 1)), 1))).toEqual([]);
  });

  it('keeps what only looks neutral: 0 − x, 1 / x, and operands that broadcast', () => {
    expect(opsOf((x) => op.sub(0, x))).toEqual(['constant', 'sub']);
    expect(opsOf((x) => op.div(1, x))).toEqual(['constant', 'div']);
    expect(
      opsOf((x) => op.add(op.sum(x, -1, { keepDims: true }), op.constantLike(x, ndarray([0, 0], [2])))),
    ).toContain('add');
  });

  it('drops equations on which no output depends', () => {
    const graph = trace('f', { x: x3 }, ({ x }) => {
      op.exp(op.neg(x));
      return { y: op.abs(x) };
    });
    expect(graph.equations).toHaveLength(3);
    expect(simplify(graph).equations.map((equation) => equation.op)).toEqual(['abs']);
  });

  it('reads an operand before it was repeated, unless that would lose the shape', () => {
    const wide = (x: Tensor): Tensor => op.broadcast(op.sum(x, -1, { keepDims: true }), [BATCH, 3]);
    expect(opsOf((x) => op.mul(x, wide(x)))).toEqual(['sum', 'mul']);
    expect(opsOf((x) => op.mul(wide(x), op.exp(wide(x))))).toEqual(['sum', 'broadcast', 'exp', 'mul']);
    expect(
      opsOf((x) => op.mul(wide(x), wide(op.neg(x)))).filter((name) => name === 'broadcast'),
    ).toHaveLength(1);
    expect(opsOf((x) => op.matmul(wide(x), wide(x), { transposeA: true }))).toContain('broadcast');
  });
});

/** One random step: an op, and which of the values so far it reads. */
interface Step {
  readonly make: number;
  readonly a: number;
  readonly b: number;
}

const makers: readonly ((a: Tensor, b: Tensor, like: Tensor) => Tensor)[] = [
  op.add,
  op.sub,
  op.mul,
  // Away from zero: dropping x + 0 keeps a −0, which only a division could tell.
  (a, b) => op.div(a, op.add(op.abs(b), 1)),
  op.max,
  op.min,
  op.neg,
  op.abs,
  (a, b) => op.select(op.lt(a, b), a, b),
  (a, b) => op.cast(op.eq(a, b), 'float32'),
  (a) => op.exp(op.min(a, 3)),
  (a) => (a.shape.length > 0 ? op.sum(a, -1, { keepDims: true }) : a),
  (a) => (a.shape.length > 0 ? op.reduceMax(a, -1, { keepDims: true }) : a),
  (a, _, like) => op.broadcast(a, like.shape, like),
  (a) => op.stopGradient(a),
  (a) => op.constantLike(a, 0),
  (a) => op.constantLike(a, 1),
  (a) => op.mul(a, op.constantLike(a, ndarray([1, 1, 1], [3]))),
  (a) => op.add(op.constantLike(a, ndarray([0, 0, 0], [1, 3])), a),
];

const steps = fc.array(fc.record<Step>({ make: fc.nat(makers.length - 1), a: fc.nat(50), b: fc.nat(50) }), {
  minLength: 1,
  maxLength: 14,
});
const shapes: Record<string, Shape> = {
  x: [BATCH, 3],
  row: [3],
  column: [BATCH, 1],
  scalar: [],
  one: [1, 1],
};

function grow(program: readonly Step[]): Graph {
  const specs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
  );
  return trace('random', specs, (inputs) => {
    const values = Object.values(inputs);
    const like = inputs.x as Tensor;
    const pick = (i: number): Tensor => values[i % values.length] as Tensor;
    for (const { make, a, b } of program)
      values.push((makers[make] as (typeof makers)[0])(pick(a), pick(b), like));
    return {
      last: pick(values.length - 1),
      before: pick(values.length - 2),
      middle: pick(values.length >> 1),
    };
  });
}

describe('what it keeps', () => {
  it('random graphs compute the same bits, or the other zero', () => {
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 0, max: 4 }),
        fc.infiniteStream(fc.constantFrom(-2, -1, -0.5, 0, 1, 1.5, 3)),
        (program, rows, stream) => {
          const graph = grow(program);
          const inputs: NdArray[] = graph.inputs.map(({ variable }) => {
            const shape = variable.shape.map((dim) => (dim === BATCH ? rows : dim));
            return ndarray(
              Array.from({ length: sizeOf(shape) }, () => stream.next().value as number),
              shape,
            );
          });
          const simple = simplify(graph);
          expect(simple.equations.length).toBeLessThanOrEqual(graph.equations.length);
          expect(simple.outputs.map(({ name }) => name)).toEqual(graph.outputs.map(({ name }) => name));
          verify(simple);
          const before = evaluateGraph(graph, inputs);
          const after = evaluateGraph(simple, inputs);
          before.forEach(({ data, shape }, i) => {
            expect(after[i]?.shape).toEqual(shape);
            const other = after[i]?.data as Float32Array;
            data.forEach((value, j) => {
              const same = Object.is(value, other[j]) || value === other[j];
              if (!same) throw new Error(`${print(graph)}\n\n${print(simple)}\n${value} became ${other[j]}`);
            });
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('simplifying twice changes nothing more', () => {
    fc.assert(
      fc.property(steps, (program) => {
        const once = simplify(grow(program));
        expect(simplify(once).equations.length).toBeLessThanOrEqual(once.equations.length);
      }),
      { numRuns: 100 },
    );
  });
});
