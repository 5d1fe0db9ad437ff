// Searches on a GPU: nearest prototypes fused and unfused, and a Lloyd step, at several sizes.

import type { Backend, Value } from '@fkm/core';
import { BATCH, type Equation, type Graph, isOp, ndarray, nearest, trace } from '@fkm/core/graph';
import { openDevice, type SearchSpec, search, sumsByIndex } from '@fkm/webgpu';
import { bufferOf, readBack } from '@fkm/webgpu/testing';
import { openGpuBackend } from './gpu-backends.ts';
import { seeded, uniformArray } from './random.ts';
import { type Result, rounded } from './report.ts';

export type Size = readonly [rows: number, columns: number, prototypes: number];

/** Divides the rows, to try the script without a GPU. */
const shrink = Number(process.env.FKM_SHRINK ?? 1);

const sizes: readonly Size[] = [
  [2 ** 20 / shrink, 128, 1024],
  [2 ** 20 / shrink, 32, 256],
  [2 ** 18 / shrink, 512, 4096],
];

/** A result: what ran, at which size, in milliseconds. */
export const speedOf = (what: string, [rows, columns, prototypes]: Size, milliseconds: number): Result => ({
  what,
  rows,
  columns,
  prototypes,
  value: rounded((2 * rows * columns * prototypes) / milliseconds / 1e9),
  unit: 'TFLOP/s',
  milliseconds: rounded(milliseconds),
});

/** Milliseconds of a round; the host polls the end of a queue only every few. */
const roundMilliseconds = 100;

/** Milliseconds of one of `count` runs submitted together: the least of five rounds after two warm-ups. */
async function least(round: (count: number) => Promise<number>): Promise<number> {
  await round(1);
  const count = Math.max(2, Math.min(200, Math.ceil(roundMilliseconds / (await round(1)))));
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) best = Math.min(best, (await round(count)) / count);
  return best;
}

/** The nearest prototype to a row and its distance, in float64. */
function nearestOnHost(X: Float32Array, P: Float32Array, row: number, columns: number): [number, number] {
  let [at, best] = [0, Number.POSITIVE_INFINITY];
  for (let k = 0; k * columns < P.length; k++) {
    let sum = 0;
    for (let d = 0; d < columns; d++) {
      const gap = (X[row * columns + d] as number) - (P[k * columns + d] as number);
      sum += gap * gap;
    }
    if (sum < best) [at, best] = [k, sum];
  }
  return [at, best];
}

/** Fused kernels on npm's `webgpu`: the search, and a whole Lloyd step with sums by prototype. */
export async function fusedSearches(report: (result: Result) => void): Promise<void> {
  const { device, info } = await openDevice({
    dawn: (process.env.FKM_DAWN ?? '').split(',').filter(Boolean),
  });
  report({
    what: `WebGPU adapter ${info.description}, shader-f16 ${device.features.has('shader-f16')}`,
    value: 0,
  });
  const uniform = seeded(7);
  for (const size of sizes) {
    const [rows, columns, prototypes] = size;
    const [X, P] = [uniformArray(rows * columns, uniform), uniformArray(prototypes * columns, uniform)];
    const buffers = {
      x: bufferOf(device, X),
      prototypes: bufferOf(device, P),
      w: bufferOf(device, new Float32Array(rows).fill(1)),
      mask: bufferOf(device, 4 * rows * columns),
      index: bufferOf(device, 4 * rows),
      value: bufferOf(device, 4 * rows),
      sums: bufferOf(device, 4 * prototypes * columns),
      weights: bufferOf(device, 4 * prototypes),
    };
    const base: SearchSpec = {
      distance: 'euclidean',
      columns,
      prototypes,
      masked: false,
      weighted: false,
      rowType: 'float32',
      prototypeType: 'float32',
      k: 0,
    };
    const timed = async (what: string, spec: SearchSpec, withSums: boolean): Promise<void> => {
      const [searching, adding] = [search(device, spec), sumsByIndex(device, { columns, prototypes })];
      const milliseconds = await least(async (count) => {
        const encoder = device.createCommandEncoder();
        for (let i = 0; i < count; i++) {
          searching.encode(encoder, rows, buffers);
          if (withSums) adding.encode(encoder, rows, buffers);
        }
        const start = performance.now();
        device.queue.submit([encoder.finish()]);
        await device.queue.onSubmittedWorkDone();
        return performance.now() - start;
      });
      report(speedOf(what, size, milliseconds));
      if (spec === base) {
        const index = new Int32Array(await readBack(device, buffers.index, 4 * rows));
        const wrong = [0, 1, rows >> 1, rows - 1].filter(
          (row) => nearestOnHost(X, P, row, columns)[0] !== index[row],
        );
        if (wrong.length > 0) throw new Error(`${what}: wrong prototypes for rows ${wrong}`);
      }
      searching.dispose();
      adding.dispose();
    };
    await timed('nearest, fused WGSL', base, false);
    await timed("Lloyd's step, fused WGSL", base, true);
    await timed('nearest cosine, fused WGSL', { ...base, distance: 'cosine' }, false);
    await timed('nearest l1, fused WGSL (3 operations counted as 2)', { ...base, distance: 'l1' }, false);
    await timed('nearest masked, fused WGSL (twice the operations)', { ...base, masked: true }, false);
    if (device.features.has('shader-f16')) {
      const half = { ...base, rowType: 'float16', prototypeType: 'float16' } as const;
      await timed('nearest of float16, fused WGSL', half, false);
    }
    for (const buffer of Object.values(buffers)) buffer.destroy();
  }
  device.destroy();
}

/** The graph with its composites renamed, so that every backend runs their bodies. */
const unfused = (graph: Graph): Graph => ({
  ...graph,
  equations: graph.equations.map(
    (equation: Equation): Equation =>
      isOp(equation, 'composite')
        ? { ...equation, attrs: { ...equation.attrs, name: `unfused ${equation.attrs.name}` } }
        : equation,
  ),
});

/** Rows in a run of the unfused graph: rows × prototypes has to fit into a binding of 2 GiB. */
const mostRows = 2 ** 16 / Math.min(shrink, 2 ** 8);

/** `nearest` as a graph on a backend, with rows already on the device. */
export async function graphSearches(name: string, report: (result: Result) => void): Promise<void> {
  const backend: Backend = await openGpuBackend(name);
  const uniform = seeded(7);
  for (const [, columns, prototypes] of sizes) {
    const rows = mostRows;
    const specs = {
      x: { shape: [BATCH, columns], dtype: 'float32' },
      prototypes: { shape: [prototypes, columns], dtype: 'float32' },
    } as const;
    const copied = await backend.compile(trace('copy', { x: specs.x }, ({ x }) => ({ y: x })));
    const given = backend.upload(ndarray(uniformArray(rows * columns, uniform), [rows, columns]));
    const [x] = (await copied.run([given])) as [Value];
    const p = backend.upload(ndarray(uniformArray(prototypes * columns, uniform), [prototypes, columns]));
    const graph = trace('nearest', specs, ({ x, prototypes }) => ({
      index: nearest({ distance: 'euclidean', x, prototypes }).index,
    }));
    for (const [what, variant] of [
      ['fused', graph],
      ['unfused', unfused(graph)],
    ] as const) {
      if (what === 'fused' && !backend.flags.fused.includes('nearest.euclidean')) continue;
      const executable = await backend.compile(variant);
      const milliseconds = await least(async (count) => {
        const start = performance.now();
        let last: Value | undefined;
        for (let i = 0; i < count; i++) {
          last?.dispose();
          [last] = (await executable.run([x, p])) as [Value];
        }
        await last?.read();
        last?.dispose();
        return performance.now() - start;
      });
      report(speedOf(`nearest, ${what} graph on ${backend.name}`, [rows, columns, prototypes], milliseconds));
      executable.dispose();
    }
    for (const value of [x, given, p]) value.dispose();
    if (name === 'tfjs-webgpu') await byOperations([rows, columns, prototypes], report);
  }
  await backend.dispose();
}

/** The same by plain tfjs operations, without our kernels. */
async function byOperations(size: Size, report: (result: Result) => void): Promise<void> {
  const tf = await import('@tensorflow/tfjs-core');
  const [rows, columns, prototypes] = size;
  const uniform = seeded(7);
  const x = tf.tensor2d(uniformArray(rows * columns, uniform), [rows, columns]);
  const p = tf.tensor2d(uniformArray(prototypes * columns, uniform), [prototypes, columns]);
  const search = () =>
    tf.tidy(() => {
      const products = tf.matMul(x, p, false, true);
      return tf.argMin(tf.sub(tf.sum(tf.square(p), 1), tf.mul(products, 2)), 1);
    });
  const milliseconds = await least(async (count) => {
    const start = performance.now();
    for (let i = 1; i < count; i++) search().dispose();
    const last = search();
    await last.data();
    last.dispose();
    return performance.now() - start;
  });
  report(speedOf('nearest, the operations of tfjs on its webgpu', size, milliseconds));
  tf.dispose([x, p]);
}
