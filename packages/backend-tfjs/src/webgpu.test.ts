import { describeBackend } from '@fkm/conformance';
import { FastKMeansRegressor, jsBackend } from '@fkm/core';
import {
  BATCH,
  type Backend,
  type NdArray,
  ndarray,
  nearest,
  print,
  topKSimilar,
  trace,
  type Value,
} from '@fkm/core/graph';
import { useSwiftShader } from '@fkm/webgpu/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, vi } from 'vitest';
import { tfjsBackend } from './index.js';
import { onWebGpu } from './known-gaps.js';

useSwiftShader();

// A browser runs everything, by the same kernels.
describeBackend('tfjs webgpu', () => tfjsBackend({ device: 'webgpu' }), {
  knownGaps: onWebGpu,
  thorough: false,
});

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' }) as const;
const searches = trace('searches', { x: f32(BATCH, 4), prototypes: f32(40, 4) }, ({ x, prototypes }) => {
  const comparison = { distance: 'euclidean', x, prototypes } as const;
  const { index, delta } = nearest(comparison);
  return { index, delta, most: topKSimilar(comparison, 3).index };
});
const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * i + 1));
const inputs: NdArray[] = [ndarray(numbers(40), [10, 4]), ndarray(numbers(160).reverse(), [40, 4])];

describe('searches of prototypes', () => {
  it('run as one kernel each, for which rows × prototypes is never there', async () => {
    const backend = await tfjsBackend({ device: 'webgpu' });
    expect(backend.flags).toMatchObject({ memory: 'device' });
    expect(backend.flags.fused).toContain('nearest.euclidean');
    expect(print(searches)).toContain('nearest.euclidean');
    const storage = tf.findBackend('webgpu') as tf.KernelBackend & { runWebGPUProgram(): unknown };
    const programs = vi.spyOn(storage, 'runWebGPUProgram');
    const executable = await backend.compile(searches);
    const values = inputs.map((array) => backend.upload(array));
    const outputs = await executable.run(values);
    expect(programs).not.toHaveBeenCalled();
    programs.mockRestore();
    for (const value of [...outputs, ...values]) value.dispose();
  });

  it('leave answers that outlive their executable', async () => {
    const backend = await tfjsBackend({ device: 'webgpu' });
    const executable = await backend.compile(searches);
    const values = inputs.map((array) => backend.upload(array));
    const first = (await executable.run(values)) as [Value, Value, Value];
    const index = await first[0].read();
    const [again] = (await executable.run(values)) as [Value, Value, Value];
    executable.dispose();
    expect(await again.read()).toEqual(index);
  });
});

describe('a model', () => {
  const columns = 3;
  const rows = (count: number) => ({ data: numbers(count * columns), shape: [count, columns] as const });
  const train = async (backend: Backend, count: number): Promise<Float32Array> => {
    const model = new FastKMeansRegressor({
      backend,
      heads: 1,
      nPrototypes: 12,
      batchSize: 32,
      scaling: 'none',
      metric: 'none',
    });
    const X = rows(count);
    const y = Float32Array.from({ length: count }, (_, i) => X.data[i * columns] as number);
    await model.fit(X, y, { maxIters: 2 });
    await model.finetune(X, y, { epochs: 1, evalFraction: 0 });
    return (await model.predict(X)).data as Float32Array;
  };

  it('learns what it learns on the reference', async () => {
    const [gpu, js] = [await tfjsBackend({ device: 'webgpu' }), jsBackend()];
    const [got, want] = [await train(gpu, 96), await train(js, 96)];
    // Three steps of Adam move a parameter by 3 · 0.02 at most, whatever rounding did to its derivative.
    const off = Array.from(want, (value, i) => Math.abs(value - (got[i] as number)));
    expect(Math.max(...off)).toBeLessThan(1e-3);
  });

  /** Reads and uploads of a step of `size` rows. */
  const transfers = async (size: number, width: number): Promise<{ reads: number; uploads: number }> => {
    const backend = await tfjsBackend({ device: 'webgpu' });
    const storage = tf.findBackend('webgpu');
    const wide = (count: number) => ({ data: numbers(count * width), shape: [count, width] as const });
    const counted = async (steps: number): Promise<[reads: number, uploads: number]> => {
      const model = new FastKMeansRegressor({
        backend,
        initMode: { prototypes: wide(12), targets: { data: numbers(12), shape: [12, 1] } },
        batchSize: size,
      });
      const [reads, writes] = [vi.spyOn(storage, 'read'), vi.spyOn(backend, 'upload')];
      await model.finetune(wide(steps * size), numbers(steps * size), { epochs: 1, evalFraction: 0 });
      const calls = [reads.mock.calls.length, writes.mock.calls.length] as [number, number];
      reads.mockRestore();
      writes.mockRestore();
      return calls;
    };
    await counted(1);
    const [two, six] = [await counted(2), await counted(6)];
    return { reads: (six[0] - two[0]) / 4, uploads: (six[1] - two[1]) / 4 };
  };

  it('reads its loss alone in a step, and uploads a batch, four numbers and what dropout leaves out', async () => {
    expect(await transfers(32, columns)).toEqual({ reads: 1, uploads: 8 });
  });

  it('uploads of a large batch which rows it takes, which are on the GPU', async () => {
    expect(await transfers(1024, 128)).toEqual({ reads: 1, uploads: 6 });
  });
});

describe('a step of training', () => {
  it('asks for few kernels', async () => {
    const backend = await tfjsBackend({ device: 'webgpu' });
    type Pass = { prototype: { dispatchWorkgroups(): void } };
    const { prototype } = (globalThis as unknown as { GPUComputePassEncoder: Pass }).GPUComputePassEncoder;
    const rows = (count: number) => ({ data: numbers(3 * count), shape: [count, 3] as const });
    const model = new FastKMeansRegressor({
      backend,
      initMode: { prototypes: rows(12), targets: { data: numbers(12), shape: [12, 1] } },
      batchSize: 32,
    });
    const epochs = async (count: number): Promise<number> => {
      const kernels = vi.spyOn(prototype, 'dispatchWorkgroups');
      await model.finetune(rows(32), numbers(32), { epochs: count, evalFraction: 0 });
      const { length } = kernels.mock.calls;
      kernels.mockRestore();
      return length;
    };
    await epochs(1);
    // Of 156 equations.
    const ofStep = (await epochs(3)) - (await epochs(2));
    expect(ofStep).toBeGreaterThan(10);
    expect(ofStep).toBeLessThanOrEqual(32);
  });
});

describe('memory', () => {
  it('does not grow with runs', async () => {
    const backend = await tfjsBackend({ device: 'webgpu' });
    const storage = tf.findBackend('webgpu');
    const executable = await backend.compile(searches);
    const round = async (): Promise<void> => {
      const values = inputs.map((array) => backend.upload(array));
      const outputs = await executable.run(values);
      await (outputs[0] as Value).read();
      for (const value of [...outputs, ...values]) value.dispose();
    };
    await round();
    const before = storage.numDataIds();
    for (let i = 0; i < 5; i++) await round();
    expect(storage.numDataIds()).toBe(before);
  });
});
