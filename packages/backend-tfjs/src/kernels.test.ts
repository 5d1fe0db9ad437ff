// What tfjs' own kernels get wrong, each held against the reference. The table of usual cases is in conformance.test.ts.

import {
  abs,
  add,
  argMax,
  BATCH,
  type Backend,
  broadcast,
  cast,
  composite,
  concat,
  constantLike,
  div,
  eq,
  evaluateGraph,
  type Graph,
  gather,
  lt,
  matmul,
  max,
  min,
  mul,
  type NdArray,
  ndarray,
  neg,
  oneHot,
  reduceMax,
  reshape,
  type Shape,
  scatter,
  select,
  sizeOf,
  slice,
  softmax,
  sum,
  type Tensor,
  topK,
  trace,
  transpose,
} from '@fkm/core/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tfjsBackend } from './index.js';

type Inputs = Record<string, NdArray>;

/** A graph of these inputs, whose first axes are the batch where `batched` says so. */
function traced(
  inputs: Inputs,
  build: (x: Record<string, Tensor>) => Record<string, Tensor>,
  batched = '',
): Graph {
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => [
      name,
      { shape: batched.includes(name) ? [BATCH, ...shape.slice(1)] : shape, dtype },
    ]),
  );
  return trace('trap', specs, build);
}

async function expectReference(backend: Backend, graph: Graph, inputs: Inputs): Promise<void> {
  const arrays = Object.values(inputs);
  const executable = await backend.compile(graph);
  const values = arrays.map((array) => backend.upload(array));
  const outputs = await executable.run(values);
  const wanted = evaluateGraph(graph, arrays);
  for (const [i, { data, shape }] of wanted.entries()) {
    const output = outputs[i]!;
    const name = graph.outputs[i]!.name;
    expect([...output.shape], `shape of ${name}`).toEqual([...shape]);
    const got = Array.from(await output.read());
    const want = Array.from(data);
    if (output.dtype !== 'float32') expect(got, name).toEqual(want);
    else {
      const equal = got.every(
        (x, j) =>
          Object.is(x, want[j]) || x === want[j] || Math.abs(x - want[j]!) <= 1e-5 * (1 + Math.abs(want[j]!)),
      );
      expect(equal, `${name}: got ${got.slice(0, 20)}, want ${want.slice(0, 20)}`).toBe(true);
    }
  }
  for (const value of [...values, ...outputs]) value.dispose();
  executable.dispose();
}

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const floats = (...shape: number[]): NdArray =>
  ndarray(
    Array.from({ length: sizeOf(shape) }, () => 4 * random() - 2),
    shape,
  );
const integers = (values: readonly number[], shape: Shape = [values.length]): NdArray =>
  ndarray(values, shape, 'int32');

const [inf, nan] = [Number.POSITIVE_INFINITY, Number.NaN];

describe.each(['cpu', 'wasm'] as const)('traps of tfjs %s', (device) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await tfjsBackend({ device });
  });
  afterAll(() => backend.dispose());
  const check = (inputs: Inputs, build: Parameters<typeof traced>[1], batched?: string): Promise<void> =>
    expectReference(backend, traced(inputs, build, batched), inputs);

  it('ranks up to 8, with axes that alternate between kept and repeated', async () => {
    const [x, y] = [floats(2, 1, 2, 1, 3, 1, 2, 1), floats(1, 2, 1, 2, 1, 3, 1, 2)];
    await check({ x, y, z: floats(2, 1) }, ({ x, y, z }) => ({
      sum: add(x!, y!),
      product: mul(x!, z!),
      less: lt(x!, y!),
      larger: max(x!, y!),
      chosen: select(lt(x!, z!), x!, y!),
      repeated: broadcast(x!, [2, 2, 2, 2, 3, 3, 2, 2]),
      repeatedBool: broadcast(lt(x!, 0), [2, 2, 2, 2, 3, 3, 2, 2]),
      turned: transpose(add(x!, y!)),
      reduced: sum(add(x!, y!), [0, 3, 7]),
      largest: reduceMax(add(x!, y!), [1, 2, 5], { keepDims: true }),
      part: slice(add(x!, y!), 4, 1, 3),
      joined: concat([add(x!, y!), add(x!, y!)], 5),
    }));
  });

  it('one array in two shapes as the right operand of matmul', async () => {
    // XNNPACK's packed copy is found by the array alone.
    await check({ x: floats(2, 6), y: floats(3, 4), v: floats(6) }, ({ x, y, v }) => ({
      column: matmul(x!, reshape(v!, [6, 1])),
      row: matmul(reshape(v!, [6, 1]), reshape(v!, [1, 6])),
      again: matmul(x!, reshape(v!, [6, 1])),
      turned: matmul(reshape(v!, [6, 1]), reshape(v!, [6, 1]), { transposeB: true }),
      wide: matmul(y!, reshape(x!, [4, 3])),
      tall: matmul(transpose(x!), x!),
      other: matmul(reshape(x!, [3, 4]), reshape(x!, [4, 3])),
    }));
  });

  it.each([
    [
      [2, 3],
      [5, 4, 3],
    ],
    [
      [5, 2, 3],
      [4, 3],
    ],
    [
      [5, 2, 3],
      [5, 4, 3],
    ],
    [
      [2, 1, 2, 3],
      [3, 4, 3],
    ],
    [
      [1, 2, 3],
      [5, 4, 3],
    ],
    [
      [5, 1, 3],
      [1, 4, 3],
    ],
  ])('matmul of %j by %j, transposed in every way', async (a, b) => {
    const turn = (s: readonly number[]): number[] => [...s.slice(0, -2), s.at(-1)!, s.at(-2)!];
    await check(
      { a: floats(...a), at: floats(...turn(a)), b: floats(...b), bt: floats(...turn(b)) },
      (x) => ({
        nt: matmul(x.a!, x.b!, { transposeB: true }),
        nn: matmul(x.a!, x.bt!),
        tt: matmul(x.at!, x.b!, { transposeA: true, transposeB: true }),
        tn: matmul(x.at!, x.bt!, { transposeA: true }),
      }),
    );
  });

  it('NaN and infinities in max and min, with numbers and tensors on either side', async () => {
    const values = [nan, inf, -inf, 0, 1, -1, nan, 2];
    for (let size = 1; size <= 21; size += 5) {
      const x = ndarray(
        Array.from({ length: size }, (_, i) => values[(i * 3) % 8]!),
        [size],
      );
      const y = ndarray(
        Array.from({ length: size }, (_, i) => values[(i * 5 + 1) % 8]!),
        [size],
      );
      await check({ x, y, c: ndarray([nan], []) }, ({ x, y, c }) => ({
        xy: max(x!, y!),
        yx: max(y!, x!),
        low: min(x!, y!),
        clampedBelow: max(x!, 0.5),
        clampedLeft: max(0.5, x!),
        clampedAbove: min(x!, 0.5),
        clampedAboveLeft: min(0.5, x!),
        infinite: max(min(x!, inf), -inf),
        notANumber: max(x!, nan),
        scalar: min(x!, c!),
        scalarLeft: min(c!, x!),
        largest: reduceMax(x!),
        outer: max(reshape(x!, [size, 1]), reshape(y!, [1, size])),
        probabilities: softmax(x!),
        which: argMax(select(eq(x!, x!), x!, -5)),
      }));
    }
  });

  it('int32 division by zero and overflow, as JavaScript has them', async () => {
    const lowest = -(2 ** 31);
    const x = integers([7, -7, 0, lowest, lowest, 9, lowest, 2 ** 31 - 1]);
    await check({ x, y: integers([0, 0, 0, -1, 1, -2, 0, -1]) }, ({ x, y }) => ({
      each: div(x!, y!),
      table: div(reshape(x!, [8, 1]), reshape(y!, [1, 8])),
      byNumber: div(x!, 2),
      byZero: div(x!, 0),
    }));
  });

  it('int32 beyond 2²⁴', async () => {
    const x = integers([16777217, -16777217, 2 ** 31 - 1, -(2 ** 31), 0]);
    await check({ x }, ({ x }) => ({
      neg: neg(x!),
      abs: abs(x!),
      rounded: eq(cast(x!, 'float32'), cast(add(x!, 1), 'float32')),
      total: sum(div(x!, 4)),
      largest: reduceMax(x!),
      chosen: select(lt(x!, 0), x!, 16777219),
      top: topK(x!, 2).values,
    }));
  });

  it('casts: NaN is false, halves are true, floats wrap', async () => {
    const x = ndarray([nan, 0, -0, 0.5, 256, -1, inf, 3e9], [8]);
    await check({ x, i: integers([0, 256, -1]) }, ({ x, i }) => ({
      bool: cast(x!, 'bool'),
      int: cast(x!, 'int32'),
      ofInt: cast(i!, 'bool'),
      back: cast(cast(i!, 'bool'), 'int32'),
      float: add(cast(cast(x!, 'bool'), 'float32'), 0.25),
    }));
  });

  it('topK takes the lowest index of equal values, infinities included', async () => {
    const cell = (): number => [inf, -inf, 0, 1][Math.floor(random() * 4)]!;
    const x = ndarray(Array.from({ length: 4 * 50 }, cell), [4, 50]);
    await check({ x }, ({ x }) => ({ ...topK(x!, 7), one: topK(x!, 1).indices }));
    await check({ x: ndarray(new Array(30).fill(-inf), [1, 30]) }, ({ x }) => topK(x!, 3));
  });

  it('scatter adds up repeated indices; onto constants too', async () => {
    const [indices, updates] = [integers([2, 0, 2, 2]), floats(4, 2, 3)];
    await check({ x: floats(3, 2, 3), indices, updates }, ({ x, indices, updates }) => ({
      onto: scatter(x!, indices!, updates!),
      twice: scatter(scatter(x!, indices!, updates!), indices!, updates!),
    }));
    for (const base of [0, 7]) {
      const constant = ndarray(new Float32Array(18).fill(base), [3, 2, 3]);
      await check({ indices, updates }, ({ indices, updates }) => ({
        y: scatter(constantLike(updates!, constant), indices!, updates!),
      }));
    }
  });

  it('bool and int32 in every op that moves elements', async () => {
    const x = ndarray([1, 0, 0, 1, 1, 0], [2, 3], 'bool');
    await check({ x, i: integers([1, 0, 1]), n: integers([5, -6, 7, 8, 9, 10], [2, 3]) }, ({ x, i, n }) =>
      Object.fromEntries(
        [x!, n!].flatMap((t) => [
          [`${t.dtype} turned`, transpose(t)],
          [`${t.dtype} picked`, gather(t, i!, 1)],
          [`${t.dtype} joined`, concat([t, t, t], 0)],
          [`${t.dtype} part`, slice(t, 1, 1, 2)],
          [`${t.dtype} repeated`, broadcast(reshape(t, [2, 1, 3]), [2, 4, 3])],
          [`${t.dtype} chosen`, select(reshape(x!, [2, 3]), t, slice(t, 0, 0, 1))],
          [`${t.dtype} hot`, oneHot(i!, 3, t.dtype)],
        ]),
      ),
    );
  });

  it('axes of size 0', async () => {
    await check({ x: floats(3, 0), y: floats(0, 4), z: floats(2, 3) }, ({ x, y, z }) => ({
      product: matmul(x!, y!),
      none: sum(x!, 1),
      joined: concat([slice(z!, 1, 2, 2), z!], 1),
      onto: concat([x!, x!], 0),
    }));
  });

  it('composites run as their bodies, also when they hand an input through', async () => {
    await check(
      { x: floats(5, 3), w: floats(4, 3) },
      ({ x, w }) => {
        const similar = composite('similar', { x: x!, w: w! }, ({ x, w }) => {
          const scores = matmul(x, w, { transposeB: true });
          const { best } = composite('best', { scores }, ({ scores }) => ({ best: argMax(scores) }));
          return { scores, best: best!, same: x };
        });
        return { ...similar, scaled: mul(similar.same!, 2) };
      },
      'x',
    );
  });
});
