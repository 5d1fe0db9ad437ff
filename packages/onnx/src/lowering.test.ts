// Every row of the lowering, at every opset, run by onnxruntime-node and held against core's reference. The conformance
// suite of @fkm/backend-onnx has the breadth; here are the paths that this package decides on.

import * as f from '@fkm/core/graph';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { opsets, type ToOnnxOptions, toOnnx } from './to-onnx.js';

const B = f.BATCH;
const rows = 5;
type Build = (x: f.Tensor, y: f.Tensor, z: f.Tensor) => f.Tensor | Record<string, f.Tensor>;
/** [types of the operands, graph, their numbers where random ones will not do]. */
type Case = readonly [readonly string[], Build, Readonly<Record<number, readonly number[]>>?];

const spec = (text: string): f.TensorSpec => {
  const [dtype, shape] = text.split(' ') as [f.DType, string];
  return { dtype, shape: shape === '-' ? [] : shape.split(',').map((d) => (d === 'B' ? B : Number(d))) };
};

const ties = Array.from({ length: rows * 128 }, (_, i) => [3, 1, 7, 7][(i * 5) % 4] as number);
const cases: Record<string, Case> = {
  'product of matrices': [['float32 B,3', 'float32 3,4'], (x, y) => f.matmul(x, y)],
  'product, both transposed': [
    ['float32 3,B', 'float32 4,3'],
    (x, y) => f.matmul(x, y, { transposeA: true, transposeB: true }),
  ],
  'product of batches': [
    ['float32 B,5,3', 'float32 4,5'],
    (x, y) => f.matmul(x, y, { transposeA: true, transposeB: true }),
  ],
  'gemm + vector': [['float32 B,3', 'float32 3,4', 'float32 4'], (x, y, z) => f.add(f.matmul(x, y), z)],
  'gemm + row': [['float32 B,3', 'float32 3,4', 'float32 1,4'], (x, y, z) => f.add(z, f.matmul(x, y))],
  'gemm + column': [['float32 B,3', 'float32 3,4', 'float32 B,1'], (x, y, z) => f.add(f.matmul(x, y), z)],
  'gemm + matrix': [['float32 B,3', 'float32 3,4', 'float32 B,4'], (x, y, z) => f.add(f.matmul(x, y), z)],
  'vector − gemm': [
    ['float32 B,3', 'float32 3,4', 'float32 4'],
    (x, y, z) => f.sub(z, f.mul(f.matmul(x, y), 2)),
  ],
  'gemm − vector': [['float32 B,3', 'float32 3,4', 'float32 4'], (x, y, z) => f.sub(f.matmul(x, y), z)],
  '2 (gemm + vector)': [
    ['float32 B,3', 'float32 3,4', 'float32 4'],
    (x, y, z) => f.mul(f.add(f.matmul(x, y), z), 2),
  ],
  'gemm + vector + vector': [
    ['float32 B,3', 'float32 3,4', 'float32 4'],
    (x, y, z) => f.add(f.add(f.matmul(x, y), z), z),
  ],
  '−3 gemm': [['float32 B,3', 'float32 3,4'], (x, y) => f.neg(f.mul(3, f.matmul(x, y)))],
  '2 (−gemm)': [['float32 B,3', 'float32 3,4'], (x, y) => f.mul(f.neg(f.matmul(x, y)), 2)],
  'gemm, read twice': [
    ['float32 B,3', 'float32 3,4', 'float32 4'],
    (x, y, z) => ({ y: f.add(f.matmul(x, y), z), w: f.exp(f.matmul(x, y)) }),
  ],
  'gemm, an output itself': [
    ['float32 B,3', 'float32 3,4', 'float32 4'],
    (x, y, z) => ({ y: f.matmul(x, y), w: f.add(f.matmul(x, y), z) }),
  ],
  'gemm + gemm': [['float32 B,3', 'float32 3,4'], (x, y) => f.add(f.matmul(x, y), f.matmul(x, y))],
  'gemm + another gemm': [
    ['float32 B,3', 'float32 3,4', 'float32 3,4'],
    (x, y, z) => f.add(f.matmul(x, y), f.matmul(x, z)),
  ],
  '−(gemm + another gemm)': [
    ['float32 B,3', 'float32 3,4', 'float32 3,4'],
    (x, y, z) => f.neg(f.sub(f.matmul(x, y), f.matmul(x, z))),
  ],
  'one row + matrix': [['float32 1,3', 'float32 3,4', 'float32 B,4'], (x, y, z) => f.add(f.matmul(x, y), z)],
  'argMax of a narrow axis': [['float32 B,7'], (x) => f.argMax(x)],
  'argMax of a wide axis': [['float32 B,256'], (x) => f.argMax(x)],
  'argMax of ties': [['float32 B,128'], (x) => f.argMax(x), { 0: ties }],
  'argMax of one infinity': [
    ['float32 B,128'],
    (x) => f.argMax(x),
    { 0: new Array(rows * 128).fill(-Infinity) },
  ],
  'argMax of a wide axis, rank 3': [['float32 2,B,96'], (x) => f.argMax(x)],
  'argMax of a wide axis, rank 1': [['float32 400'], (x) => f.argMax(x)],
  'argMax of a wide axis, prime': [['float32 B,257'], (x) => f.argMax(x)],
  'argMax of int32': [['int32 B,128'], (x) => f.argMax(x)],
  'argMax of the first axis': [['float32 128,B'], (x) => f.argMax(x, 0)],
  topK: [['float32 B,9'], (x) => ({ ...f.topK(x, 4) })],
  'topK of ties': [['float32 B,9'], (x) => ({ ...f.topK(x, 4) }), { 0: ties.slice(0, rows * 9) }],
  'topK of int32, rank 3': [['int32 B,2,9'], (x) => ({ ...f.topK(x, 3) })],
  'topK of one': [['float32 B,1'], (x) => ({ ...f.topK(x, 1) })],
  'sum and reduceMax': [
    ['float32 B,3,4'],
    (x) => ({ a: f.sum(x, [0, 2], { keepDims: true }), b: f.reduceMax(x, [1, 2]), c: f.sum(x) }),
  ],
  'sum over no axis': [
    ['float32 B,3'],
    (x) => x.trace.emit('sum', [x], { axes: [], keepDims: false })[0] as f.Tensor,
  ],
  'int32 by zero': [['int32 B,3', 'int32 3'], (x, y) => f.div(x, f.sub(y, y))],
  'int32 division cuts': [['int32 B,3'], (x) => ({ up: f.div(x, 3), down: f.div(x, -3) })],
  'cast cuts towards zero': [['float32 B,9'], (x) => f.cast(f.mul(x, 3), 'int32')],
  'select of conditions': [
    ['float32 B,3', 'float32 3', 'float32 B,1'],
    (x, y, z) => f.select(f.lt(x, y), f.lt(x, z), f.lt(y, z)),
  ],
  'broadcast to a like': [['float32 3', 'float32 B,3'], (x, y) => f.broadcast(x, [B, 3], y)],
  'broadcast of the batch': [['float32 B,1'], (x) => f.broadcast(x, [2, B, 4])],
  'concat, slice, transpose, reshape': [
    ['float32 B,2', 'float32 B,4'],
    (x, y) => f.transpose(f.reshape(f.slice(f.concat([x, y]), 1, 1, 5), [B, 2, 2]), [1, 0, 2]),
  ],
  'oneHot outside of its depth': [['int32 B'], (x) => f.oneHot(x, 3), { 0: [-1, 0, 2, 3, -3] }],
  'gather along the last axis': [['float32 B,4', 'int32 2'], (x, y) => f.gather(x, y, 1), { 1: [3, 0] }],
  'scatter of rows': [
    ['float32 3,2', 'int32 B', 'float32 B,2'],
    (x, y, z) => f.scatter(x, y, z),
    { 1: [2, 0, 2, 2, 1] },
  ],
  'scatter of numbers': [
    ['int32 3', 'int32 B', 'int32 B'],
    (x, y, z) => f.scatter(x, y, z),
    { 1: [2, 0, 2, 2, 1] },
  ],
  'scatter of floats': [
    ['float32 3', 'int32 B', 'float32 B'],
    (x, y, z) => f.scatter(x, y, z),
    { 1: [2, 0, 2, 2, 1] },
  ],
  'scatter into a batch': [
    ['float32 B,3', 'int32 4', 'float32 4,3'],
    (x, y, z) => f.scatter(x, y, z),
    { 1: [2, 0, 2, 1] },
  ],
  'scatter of batches': [
    ['float32 2,B', 'int32 3', 'float32 3,B'],
    (x, y, z) => f.scatter(x, y, z),
    { 1: [1, 1, 0] },
  ],
  iota: [['int32 B,4'], (x) => f.add(x, f.iota(x, 4))],
  'a composite': [
    ['float32 B,4', 'float32 4'],
    (x, y) => f.composite('scaled', { x, y }, (i) => ({ product: f.mul(i.x, i.y), again: i.x })),
  ],
};

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return (seed / 2 ** 32) * 6 - 3;
};

function fill({ shape, dtype }: f.TensorSpec, values?: readonly number[]): f.NdArray {
  const concrete = shape.map((d) => (d === B ? rows : d));
  return f.ndarray(values ?? Array.from({ length: f.sizeOf(concrete) }, random), concrete, dtype);
}

async function run(bytes: Uint8Array, inputs: readonly f.NdArray[]): Promise<f.NdArray[]> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const feeds = Object.fromEntries(
    inputs.map(({ data, shape, dtype }, i) => [
      session.inputNames[i],
      new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
    ]),
  );
  const results = await session.run(feeds);
  await session.release();
  return session.outputNames.map((name) => {
    const { data, dims, type } = results[name] as ort.Tensor;
    return { data: data as f.TypedArray, shape: [...dims], dtype: type as f.DType };
  });
}

/** The case in onnxruntime gives what it gives in the reference. */
async function expectReference(
  name: string,
  [types, build, fills = {}]: Case,
  options: ToOnnxOptions,
): Promise<void> {
  const specs = types.map(spec);
  const inputs = specs.map((type, i) => fill(type, fills[i]));
  const graph = f.trace(name, Object.fromEntries(specs.map((type, i) => [`x${i}`, type])), (x) => {
    const result = build(...(Object.values(x) as [f.Tensor, f.Tensor, f.Tensor]));
    return result instanceof f.Tensor ? { y: result } : result;
  });
  const got = await run(toOnnx(graph, options), inputs);
  const wanted = f.evaluateGraph(graph, inputs);
  expect(got.map(({ shape, dtype }) => f.formatType({ shape, dtype }))).toEqual(wanted.map(f.formatType));
  for (const [i, { data, dtype }] of got.entries()) {
    const expected = (wanted[i] as f.NdArray).data;
    if (dtype === 'float32') {
      const scale = Math.max(1, ...expected.map(Math.abs));
      const error = Math.max(...data.map((value, j) => Math.abs(value - (expected[j] as number))));
      expect(error / scale).toBeLessThan(1e-5);
    } else expect(data).toEqual(expected);
  }
}

/** Cases that TopK as rounds of ArgMax has to get right too, and halves, which onnxruntime's TopK does not take. */
const rounds: Record<string, Case> = {
  ...Object.fromEntries(Object.entries(cases).filter(([name]) => name.startsWith('topK'))),
  'topK of halves': [
    ['float32 B,9'],
    (x) => {
      const { values, indices } = f.topK(f.cast(x, 'float16'), 4);
      return { values: f.cast(values, 'float32'), indices };
    },
  ],
};

const scatters = Object.entries(cases).filter(([name]) => name.startsWith('scatter'));

for (let opset: number = opsets.least; opset <= opsets.most; opset++) {
  describe(`opset ${opset} gives what the reference gives`, () => {
    it.each(Object.entries(cases))('%s', (name, one) => expectReference(name, one, { opset }));
    it.each(Object.entries(rounds))('%s by rounds of ArgMax', (name, one) =>
      expectReference(name, one, { opset, topK: 'argMax' }),
    );
    it.each(scatters)('%s by a product', (name, one) =>
      expectReference(name, one, { opset, scatter: 'product' }),
    );
  });
}

describe('what onnxruntime gets wrong by itself', () => {
  it('rows scattered from several threads all arrive', async () => {
    const [n, d] = [20_000, 64];
    const graph = f.trace(
      'race',
      { x: spec(`float32 2,${d}`), i: spec('int32 B'), u: spec(`float32 B,${d}`) },
      (x) => ({
        y: f.scatter(x.x, x.i, x.u),
      }),
    );
    const session = await ort.InferenceSession.create(toOnnx(graph), { intraOpNumThreads: 4 });
    const feeds = {
      x: new ort.Tensor('float32', new Float32Array(2 * d), [2, d]),
      i: new ort.Tensor(
        'int32',
        Int32Array.from({ length: n }, (_, i) => i % 2),
        [n],
      ),
      u: new ort.Tensor('float32', new Float32Array(n * d).fill(1), [n, d]),
    };
    for (let repeat = 0; repeat < 10; repeat++) {
      const { y } = (await session.run(feeds)) as { y: ort.Tensor };
      expect(new Set(y.data as Float32Array)).toEqual(new Set([n / 2]));
    }
    await session.release();
  });
});
