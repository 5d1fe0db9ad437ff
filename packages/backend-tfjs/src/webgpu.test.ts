import { describeBackend } from '@fkm/conformance';
import {
  BATCH,
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

useSwiftShader();

describeBackend('tfjs webgpu', () => tfjsBackend({ device: 'webgpu' }));

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
