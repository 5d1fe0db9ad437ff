// Loops against the reference, and which equations share one.

import {
  add,
  BATCH,
  broadcast,
  cast,
  div,
  type Equation,
  evaluateGraph,
  exp,
  type Graph,
  iota,
  isOp,
  lt,
  matmul,
  max,
  mul,
  type NdArray,
  ndarray,
  not,
  oneHot,
  print,
  reduceMax,
  reshape,
  select,
  softmax,
  sqrt,
  sub,
  sum,
  type Tensor,
  trace,
  transpose,
} from '@fkm/core/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GpuBuffer, GpuDevice } from '../gpu.js';
import { fuseLoops, Loops, openDevice } from '../index.js';
import { bufferOf, readBack, useSwiftShader } from '../testing/index.js';

let device: GpuDevice;
let loops: Loops;
beforeAll(async () => {
  useSwiftShader();
  ({ device } = await openDevice());
  loops = new Loops(device);
});
afterAll(() => {
  loops?.dispose();
  device?.destroy();
});

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' }) as const;
const fused = (graph: Graph, most = 8): Graph => fuseLoops(graph, most, () => false);
const opsOf = (graph: Graph): string[] =>
  graph.equations.map((equation) => (isOp(equation, 'composite') ? equation.attrs.name : equation.op));
const draw = (shape: readonly number[], seed = 1): NdArray =>
  ndarray(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * i + seed)),
    shape,
  );

/** Runs every loop of the fused graph on the device, all else on the reference. */
async function run(graph: Graph, inputs: readonly NdArray[], rows: number): Promise<NdArray[]> {
  const known = new Map<number, NdArray>(
    graph.inputs.map((port, i) => [port.variable.id, inputs[i] as NdArray]),
  );
  const { equations, outputs } = fused(graph);
  for (const equation of equations) {
    const operands = equation.inputs.map((v) => known.get(v.id) as NdArray);
    const results = isOp(equation, 'composite')
      ? await runLoop(equation, operands, rows)
      : evaluateGraph(
          {
            name: equation.op,
            inputs: [...new Set(equation.inputs)].map((variable, i) => ({ name: `x${i}`, variable })),
            equations: [equation],
            outputs: equation.outputs.map((variable, i) => ({ name: `y${i}`, variable })),
          },
          [...new Set(equation.inputs)].map((v) => known.get(v.id) as NdArray),
        );
    equation.outputs.forEach((v, i) => {
      known.set(v.id, results[i] as NdArray);
    });
  }
  return outputs.map((port) => known.get(port.variable.id) as NdArray);
}

async function runLoop(
  equation: Equation<'composite'>,
  operands: readonly NdArray[],
  rows: number,
): Promise<NdArray[]> {
  device.pushErrorScope('validation');
  const shapes = equation.outputs.map(({ shape }) => shape.map((dim) => (dim === BATCH ? rows : dim)));
  const wide = (array: NdArray) =>
    array.dtype === 'bool' ? Int32Array.from(array.data) : (array.data as Float32Array);
  const inputs = operands.map((array) => bufferOf(device, wide(array)));
  const outputs = shapes.map((shape) => bufferOf(device, 4 * shape.reduce((a, b) => a * b, 1)));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  loops.compile(equation.attrs.body).encode(pass, rows, inputs, outputs);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const results: NdArray[] = [];
  for (const [i, { dtype }] of equation.outputs.entries()) {
    const shape = shapes[i] as number[];
    const bytes = await readBack(device, outputs[i] as GpuBuffer, 4 * shape.reduce((a, b) => a * b, 1));
    const data = dtype === 'float32' ? new Float32Array(bytes) : new Int32Array(bytes);
    results.push(ndarray(Array.from(data), shape, dtype));
  }
  for (const buffer of [...inputs, ...outputs]) buffer.destroy();
  expect((await device.popErrorScope())?.message).toBeUndefined();
  return results;
}

async function expectSame(graph: Graph, inputs: readonly NdArray[], rows: number): Promise<void> {
  const [got, want] = [await run(graph, inputs, rows), evaluateGraph(graph, inputs)];
  want.forEach(({ data }, i) => {
    const off = Array.from(data, (value, j) => {
      const other = got[i]?.data[j] as number;
      return Object.is(value, other) ? 0 : Math.abs(value - other) / (1 + Math.abs(value));
    });
    // Sums of up to some thousand numbers around 1.
    expect(Math.max(...off), graph.outputs[i]?.name).toBeLessThan(2e-6);
  });
}

type Ports = Record<string, Tensor>;
const t = (ports: Ports, name: string): Tensor => ports[name] as Tensor;

describe('which equations share a loop', () => {
  it('chains and rows that they reduce', () => {
    const graph = trace('route', { x: f32(BATCH, 6), scale: f32(6) }, ({ x, scale }) => ({
      weights: softmax(mul(x, exp(scale))),
    }));
    expect(opsOf(fused(graph))).toEqual(['loop', 'loop']);
    expect(print(fused(graph))).toMatchInlineSnapshot(`
      "route(x: f32[B,6], scale: f32[6]) {
        %0: f32[6] = composite(scale) name=loop loop(x0: f32[6]) {
          %0: f32[6] = exp(x0)
          return y0=%0
        }
        %1: f32[B,6] = composite(x, %0) name=loop loop(x0: f32[B,6], x1: f32[6]) {
          %0: f32[B,6] = mul(x0, x1)
          %1: f32[B,1] = reduceMax(%0) keepDims=true axes=[1]
          %2: f32[B,6] = sub(%0, %1)
          %3: f32[] = constant() {-60}
          %4: f32[B,6] = max(%2, %3)
          %5: f32[B,6] = exp(%4)
          %6: f32[B,1] = sum(%5) keepDims=true axes=[1]
          %7: f32[] = constant() {1}
          %8: f32[B,1] = div(%7, %6)
          %9: f32[B,6] = mul(%5, %8)
          return y0=%9
        }
        return weights=%1
      }"
    `);
  });

  it('all equations that update a parameter', () => {
    const specs = { p: f32(5, 3), m: f32(5, 3), v: f32(5, 3), g: f32(5, 3), rate: f32() };
    const adam = trace('adam', specs, ({ p, m, v, g, rate }) => {
      const first = add(mul(m, 0.9), mul(g, 0.1));
      const second = add(mul(v, 0.999), mul(mul(g, g), 0.001));
      return { p: sub(p, div(mul(first, rate), add(sqrt(second), 1e-8))), m: first, v: second };
    });
    expect(opsOf(fused(adam))).toEqual(['loop']);
    expect(opsOf(fused(adam, 6)).filter((op) => op === 'loop')).toHaveLength(2);
  });

  it('equations before and after one that is not a loop do not share one', () => {
    const graph = trace('between', { x: f32(BATCH, 3), w: f32(3, 3) }, ({ x, w }) => {
      const product = matmul(exp(x), w);
      return { y: add(product, 1), other: mul(x, 2) };
    });
    expect(opsOf(fused(graph)).filter((op) => op !== 'constant')).toEqual(['loop', 'matmul', 'loop']);
  });

  it('products of vectors join other loops', () => {
    const specs = { x: f32(BATCH, 6), w: f32(6, 1), y: f32(BATCH, 1) };
    const graph = trace('vectors', specs, ({ x, w, y }) => {
      const gap = sub(matmul(softmax(x), w), y);
      return { dw: matmul(x, gap, { transposeA: true }), dx: matmul(gap, w, { transposeB: true }) };
    });
    expect(opsOf(fused(graph)).filter((op) => op !== 'reshape')).toEqual(['loop', 'loop']);
  });

  it('views in between cost nothing', () => {
    const graph = trace('views', { x: f32(BATCH, 6), w: f32(2, 3) }, ({ x, w }) => {
      const heads = add(reshape(x, [BATCH, 2, 3]), w);
      return { y: exp(reshape(heads, [BATCH, 6])), heads };
    });
    expect(opsOf(fused(graph))).toEqual(['reshape', 'loop']);
  });
});

describe('a loop gives what its equations give', () => {
  const cases: readonly [string, Graph, readonly (readonly number[])[]][] = [
    [
      'softmax of heads, its largest and its sums',
      trace('heads', { x: f32(BATCH, 36), bias: f32(2, 18) }, (p) => {
        const logits = add(mul(reshape(t(p, 'x'), [BATCH, 2, 18]), -3), t(p, 'bias'));
        const r = softmax(logits);
        return { r, best: reduceMax(logits, 2), total: sum(mul(r, r), 2, { keepDims: true }), both: sum(r) };
      }),
      [
        [-1, 36],
        [2, 18],
      ],
    ],
    [
      'rows longer than a workgroup',
      trace('long', { x: f32(BATCH, 1500) }, (p) => ({ r: softmax(mul(t(p, 'x'), 4)) })),
      [[-1, 1500]],
    ],
    [
      'columns of the batch, of a middle axis, and of all',
      trace('columns', { x: f32(BATCH, 5), w: f32(3, 7, 5) }, (p) => ({
        down: sum(mul(t(p, 'x'), 2), 0),
        middle: sum(t(p, 'w'), 1, { keepDims: true }),
        all: sum(exp(t(p, 'x'))),
      })),
      [
        [-1, 5],
        [3, 7, 5],
      ],
    ],
    [
      'operands that are repeated along any axes',
      trace('repeated', { x: f32(BATCH, 4, 3), a: f32(4, 1), b: f32(1, 3), c: f32(BATCH, 1, 1) }, (p) => {
        const y = add(mul(t(p, 'x'), t(p, 'a')), t(p, 'b'));
        return { y: max(mul(y, t(p, 'c')), 0), wide: broadcast(t(p, 'a'), [BATCH, 4, 3], t(p, 'x')) };
      }),
      [
        [-1, 4, 3],
        [4, 1],
        [1, 3],
        [-1, 1, 1],
      ],
    ],
    [
      'axes that change places, the batch among them',
      trace('turned', { x: f32(BATCH, 4, 3) }, (p) => ({
        last: transpose(t(p, 'x'), [1, 2, 0]),
        inner: add(transpose(t(p, 'x'), [0, 2, 1]), 1),
      })),
      [[-1, 4, 3]],
    ],
    [
      'products with a vector on either side, and of two',
      trace('thin', { x: f32(BATCH, 6), w: f32(6, 1), v: f32(1, 6), y: f32(BATCH, 1) }, (p) => {
        const [x, w, v, y] = [t(p, 'x'), t(p, 'w'), t(p, 'v'), t(p, 'y')];
        return {
          right: matmul(exp(x), w),
          turned: matmul(x, v, { transposeB: true }),
          left: matmul(v, x, { transposeB: true }),
          down: matmul(x, y, { transposeA: true }),
          across: matmul(y, x, { transposeA: true }),
          outer: matmul(y, v),
          flipped: matmul(w, y, { transposeB: true }),
          dot: matmul(y, y, { transposeA: true }),
        };
      }),
      [
        [-1, 6],
        [6, 1],
        [1, 6],
        [-1, 1],
      ],
    ],
    [
      'columns of what is computed on the way',
      trace('on the way', { x: f32(BATCH, 4, 3), a: f32(4, 3), c: f32(BATCH, 1, 1) }, (p) => {
        const y = mul(exp(add(t(p, 'x'), t(p, 'a'))), t(p, 'c'));
        return { y: sum(y, 0), middle: sum(mul(t(p, 'x'), t(p, 'a')), 1), x: sum(t(p, 'x'), 0) };
      }),
      [
        [-1, 4, 3],
        [4, 3],
        [-1, 1, 1],
      ],
    ],
    [
      'integers, bools and places',
      trace('kinds', { x: f32(BATCH, 4) }, (p) => {
        const x = mul(t(p, 'x'), 4);
        const whole = cast(x, 'int32');
        const small = not(lt(x, 0));
        return {
          whole: add(whole, iota(x, 4)),
          small,
          chosen: select(small, x, -1),
          classes: oneHot(cast(mul(sum(x, 1), 0.5), 'int32'), 3),
        };
      }),
      [[-1, 4]],
    ],
  ];
  it.each(cases)('%s', async (_, graph, shapes) => {
    for (const rows of [1, 70]) {
      const inputs = shapes.map((shape, i) =>
        draw(
          shape.map((dim) => (dim === BATCH ? rows : dim)),
          i + 1,
        ),
      );
      await expectSame(graph, inputs, rows);
    }
  });

  it('of infinities and NaN', async () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    const special = ndarray([nan, inf, -inf, 0, 1, -1, 200, -200], [2, 4]);
    const graph = trace('special', { x: f32(BATCH, 4), y: f32() }, (p) => ({
      e: exp(t(p, 'x')),
      m: max(t(p, 'x'), 0),
      best: reduceMax(t(p, 'x'), 1),
    }));
    await expectSame(graph, [special, ndarray([1], [])], 2);
  });
});
