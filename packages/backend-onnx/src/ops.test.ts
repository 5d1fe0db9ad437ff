import * as f from '@fkm/core/graph';
import {
  BATCH,
  bindRows,
  type DType,
  decodeHalf,
  evaluateGraph,
  type Graph,
  type NdArray,
  ndarray,
  type Shape,
  type Tensor,
  type TensorSpec,
  trace,
} from '@fkm/core/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onnxBackend } from './index.js';

const B = BATCH;
let backend: f.Backend;
beforeAll(async () => {
  backend = await onnxBackend();
});
afterAll(() => backend.dispose());

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return seed / 0x7fffffff;
};

function fill({ shape, dtype }: TensorSpec, rows: number, range: readonly [number, number]): NdArray {
  const concrete = shape.map((d) => (d === B ? rows : d));
  const size = concrete.reduce((a, b) => a * b, 1);
  const [low, high] = range;
  const whole = dtype === 'int32' || dtype === 'bool';
  const values = Array.from({ length: size }, () => {
    const x = low + (high - low) * random();
    return whole ? Math.floor(dtype === 'bool' ? random() * 2 : x) : x;
  });
  return ndarray(values, concrete, dtype);
}

const numbers = ({ data, dtype }: { data: f.TypedArray; dtype: DType }): number[] =>
  Array.from(dtype === 'float16' || dtype === 'bfloat16' ? decodeHalf(data, dtype) : data);

async function compare(graph: Graph, arrays: readonly NdArray[], tolerance: number): Promise<void> {
  bindRows(graph, arrays);
  const wanted = evaluateGraph(graph, arrays);
  const executable = await backend.compile(graph);
  const got = await executable.run(arrays.map((array) => backend.upload(array)));
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of got.entries()) {
    const expected = wanted[i] as NdArray;
    expect({ shape: [...value.shape], dtype: value.dtype }).toEqual({
      shape: [...expected.shape],
      dtype: expected.dtype,
    });
    const a = numbers({ data: await value.read(), dtype: value.dtype });
    const b = numbers(expected);
    a.forEach((x, j) => {
      const y = b[j] as number;
      if (Object.is(x, y) || x === y) return;
      expect(Math.abs(x - y), `output ${i}, element ${j}: ${x} for ${y}`).toBeLessThanOrEqual(
        tolerance * Math.max(1, Math.abs(y)),
      );
    });
  }
}

type Build = (...x: Tensor[]) => Tensor | Record<string, Tensor>;
interface Case {
  readonly shapes: readonly Shape[];
  readonly build: Build;
  /** dtypes of the operands; one run a row. */
  readonly dtypes: readonly (DType | readonly DType[])[];
  readonly range?: readonly [number, number];
}
const numeric: DType[] = ['float32', 'int32', 'float16'];
const floats: DType[] = ['float32', 'float16'];
const every: DType[] = ['float32', 'int32', 'float16', 'bool'];
const i32 = 'int32';
const cases: Record<string, Case> = {
  add: { shapes: [[B, 3], [3]], build: f.add, dtypes: numeric },
  sub: {
    shapes: [
      [B, 3],
      [B, 1],
    ],
    build: f.sub,
    dtypes: numeric,
  },
  mul: { shapes: [[B, 3], []], build: f.mul, dtypes: numeric },
  div: {
    shapes: [
      [B, 3],
      [1, 3],
    ],
    build: f.div,
    dtypes: numeric,
    range: [-3, 5],
  },
  neg: { shapes: [[B, 3]], build: f.neg, dtypes: numeric },
  exp: { shapes: [[B, 3]], build: f.exp, dtypes: floats },
  log: { shapes: [[B, 3]], build: f.log, dtypes: floats, range: [0.1, 4] },
  sqrt: { shapes: [[B, 3]], build: f.sqrt, dtypes: floats, range: [0.1, 4] },
  abs: { shapes: [[B, 3]], build: f.abs, dtypes: numeric },
  max: { shapes: [[B, 3], [3]], build: f.max, dtypes: numeric },
  min: { shapes: [[B, 3], [3]], build: f.min, dtypes: numeric },
  eq: { shapes: [[B, 3], [3]], build: f.eq, dtypes: numeric },
  lt: { shapes: [[B, 3], [3]], build: f.lt, dtypes: numeric },
  and: { shapes: [[B, 3], [3]], build: f.and, dtypes: ['bool'] },
  not: { shapes: [[B, 3]], build: f.not, dtypes: ['bool'] },
  select: {
    shapes: [[B, 3], [3], [B, 1]],
    build: (c, a, b) => f.select(c as Tensor, a as Tensor, b as Tensor),
    dtypes: every.map((d) => ['bool', d, d] as const),
  },
  ...Object.fromEntries(
    every.map(
      (to) =>
        [
          `cast to ${to}`,
          { shapes: [[B, 3]], build: (x) => f.cast(x as Tensor, to), dtypes: every, range: [-4, 4] },
        ] as [string, Case],
    ),
  ),
  matmul: {
    shapes: [
      [B, 3],
      [3, 4],
    ],
    build: (a, b) => f.matmul(a as Tensor, b as Tensor),
    dtypes: floats,
  },
  'matmul transposed': {
    shapes: [
      [3, B],
      [4, 3],
    ],
    build: (a, b) => f.matmul(a as Tensor, b as Tensor, { transposeA: true, transposeB: true }),
    dtypes: floats,
  },
  'matmul over the batch': {
    shapes: [
      [B, 3],
      [B, 4],
    ],
    build: (a, b) => f.matmul(a as Tensor, b as Tensor, { transposeA: true }),
    dtypes: floats,
  },
  'matmul batched': {
    shapes: [
      [B, 5, 3],
      [4, 5],
    ],
    build: (a, b) => f.matmul(a as Tensor, b as Tensor, { transposeA: true, transposeB: true }),
    dtypes: floats,
  },
  'matmul batch of batches': {
    shapes: [
      [B, 2, 3],
      [B, 4, 3],
    ],
    build: (a, b) => f.matmul(a as Tensor, b as Tensor, { transposeB: true }),
    dtypes: floats,
  },
  'gemm bias': {
    shapes: [[B, 3], [3, 4], [4]],
    build: (a, b, c) => f.add(f.matmul(a as Tensor, b as Tensor), c as Tensor),
    dtypes: floats,
  },
  'gemm sub': {
    shapes: [
      [B, 3],
      [3, 4],
      [1, 4],
    ],
    build: (a, b, c) => f.sub(f.matmul(a as Tensor, b as Tensor), c as Tensor),
    dtypes: floats,
  },
  'gemm subtracted from': {
    shapes: [
      [B, 3],
      [3, 4],
      [B, 1],
    ],
    build: (a, b, c) => f.sub(c as Tensor, f.mul(f.matmul(a as Tensor, b as Tensor), 2)),
    dtypes: floats,
  },
  'gemm scaled after its bias': {
    shapes: [[B, 3], [3, 4], [4]],
    build: (a, b, c) => f.mul(f.add(f.neg(f.matmul(a as Tensor, b as Tensor)), c as Tensor), 2),
    dtypes: floats,
  },
  'gemm read twice': {
    shapes: [[B, 3], [3, 4], [4]],
    build: (a, b, c) => {
      const y = f.matmul(a as Tensor, b as Tensor);
      return { y, z: f.add(y, c as Tensor), w: f.neg(y) };
    },
    dtypes: floats,
  },
  'gemm plus itself': {
    shapes: [
      [B, 3],
      [3, 4],
    ],
    build: (a, b) => {
      const y = f.matmul(a as Tensor, b as Tensor);
      return f.add(y, y);
    },
    dtypes: floats,
  },
  'gemm wider than its bias': {
    shapes: [
      [1, 3],
      [3, 4],
      [B, 4],
    ],
    build: (a, b, c) => f.add(f.matmul(a as Tensor, b as Tensor), c as Tensor),
    dtypes: floats,
  },
  'sum last': { shapes: [[B, 3, 4]], build: (x) => f.sum(x as Tensor, -1), dtypes: numeric },
  'sum batch': {
    shapes: [[B, 3, 4]],
    build: (x) => f.sum(x as Tensor, [0, 2], { keepDims: true }),
    dtypes: numeric,
  },
  'sum all': { shapes: [[B, 3]], build: (x) => f.sum(x as Tensor), dtypes: numeric },
  'reduceMax last': {
    shapes: [[B, 3, 4]],
    build: (x) => f.reduceMax(x as Tensor, -1, { keepDims: true }),
    dtypes: numeric,
  },
  'reduceMax two': { shapes: [[B, 3, 4]], build: (x) => f.reduceMax(x as Tensor, [1, 2]), dtypes: numeric },
  'argMax narrow': { shapes: [[B, 3, 7]], build: (x) => f.argMax(x as Tensor), dtypes: numeric },
  'argMax first axis': { shapes: [[5, B]], build: (x) => f.argMax(x as Tensor, 0), dtypes: numeric },
  'argMax wide': { shapes: [[B, 128]], build: (x) => f.argMax(x as Tensor), dtypes: numeric },
  'argMax wide, rank 3': { shapes: [[3, B, 96]], build: (x) => f.argMax(x as Tensor), dtypes: numeric },
  'argMax wide, rank 1': { shapes: [[400]], build: (x) => f.argMax(x as Tensor), dtypes: numeric },
  'argMax wide, prime': { shapes: [[B, 1009]], build: (x) => f.argMax(x as Tensor), dtypes: numeric },
  topK: {
    shapes: [[B, 9]],
    build: (x) => f.topK(x as Tensor, 4) as unknown as Record<string, Tensor>,
    dtypes: numeric,
  },
  reshape: { shapes: [[B, 6]], build: (x) => f.reshape(x as Tensor, [B, 2, 3]), dtypes: every },
  'reshape to the middle': {
    shapes: [[B, 6]],
    build: (x) => f.reshape(x as Tensor, [1, B, 6]),
    dtypes: every,
  },
  transpose: { shapes: [[B, 2, 3]], build: (x) => f.transpose(x as Tensor, [2, 0, 1]), dtypes: every },
  broadcast: { shapes: [[B, 1]], build: (x) => f.broadcast(x as Tensor, [3, B, 4]), dtypes: every },
  'broadcast like': {
    shapes: [[3], [B, 3]],
    build: (x, y) => f.broadcast(x as Tensor, [B, 3], y as Tensor),
    dtypes: every,
  },
  'broadcast concrete': { shapes: [[1, 3]], build: (x) => f.broadcast(x as Tensor, [2, 3]), dtypes: every },
  concat: {
    shapes: [
      [B, 2],
      [B, 3],
    ],
    build: (x, y) => f.concat([x as Tensor, y as Tensor]),
    dtypes: every,
  },
  slice: { shapes: [[B, 5]], build: (x) => f.slice(x as Tensor, 1, 1, 4), dtypes: every },
  gather: {
    shapes: [[7, 3], [B]],
    build: (x, i) => f.gather(x as Tensor, i as Tensor),
    dtypes: every.map((d) => [d, i32] as const),
    range: [0, 7],
  },
  'gather columns': {
    shapes: [
      [B, 7],
      [2, 2],
    ],
    build: (x, i) => f.gather(x as Tensor, i as Tensor, 1),
    dtypes: every.map((d) => [d, i32] as const),
    range: [0, 7],
  },
  scatter: {
    shapes: [[7, 3], [B], [B, 3]],
    build: (x, i, u) => f.scatter(x as Tensor, i as Tensor, u as Tensor),
    dtypes: numeric.map((d) => [d, i32, d] as const),
    range: [0, 7],
  },
  'scatter scalars': {
    shapes: [[7], [B], [B]],
    build: (x, i, u) => f.scatter(x as Tensor, i as Tensor, u as Tensor),
    dtypes: numeric.map((d) => [d, i32, d] as const),
    range: [0, 7],
  },
  ...Object.fromEntries(
    every.map(
      (to) =>
        [
          `oneHot ${to}`,
          { shapes: [[B, 2]], build: (i) => f.oneHot(i as Tensor, 3, to), dtypes: [i32], range: [-3, 6] },
        ] as [string, Case],
    ),
  ),
  iota: { shapes: [[B, 4]], build: (x) => f.add(x as Tensor, f.iota(x as Tensor, 4)), dtypes: [i32] },
  stopGradient: { shapes: [[B, 2]], build: (x) => f.stopGradient(x as Tensor), dtypes: every },
  'input and constant as outputs': {
    shapes: [[B, 2]],
    build: (x) => ({ x: x as Tensor, again: x as Tensor, c: f.constantLike(x as Tensor, 3) }),
    dtypes: every,
  },
  softmax: { shapes: [[B, 5]], build: (x) => f.softmax(x as Tensor), dtypes: floats },
};

for (const rows of [5, 1, 0]) {
  describe(`every op gives what the reference gives, ${rows} rows`, () => {
    for (const [name, { shapes, build, dtypes, range }] of Object.entries(cases)) {
      for (const dtype of dtypes) {
        const types = typeof dtype === 'string' ? shapes.map(() => dtype) : dtype;
        it(`${name} ${dtype}`, async () => {
          const specs = Object.fromEntries(
            shapes.map((shape, i) => [`x${i}`, { shape, dtype: types[i] as DType }]),
          );
          const graph = trace(name, specs, (x) => {
            const result = build(...(Object.values(x) as Tensor[]));
            return (result as Tensor).variable ? { y: result as Tensor } : (result as Record<string, Tensor>);
          });
          const arrays = Object.values(specs).map((spec) => fill(spec, rows, range ?? [-3, 3]));
          await compare(graph, arrays, types.includes('float16') ? 5e-3 : 1e-5);
        });
      }
    }
  });
}
