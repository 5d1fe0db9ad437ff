import { describeBackend } from '@fkm/conformance';
import { BATCH, ndarray, neg, trace, type Value } from '@fkm/core/graph';
import { useSwiftShader } from '@fkm/webgpu/testing';
import { describe, expect, it } from 'vitest';
import { onnxBackend } from './index.js';
import { onWebGpu } from './known-gaps.js';

useSwiftShader();

// A browser runs everything, by the same kernels.
describeBackend('onnx webgpu', () => onnxBackend({ device: 'webgpu' }), {
  knownGaps: onWebGpu,
  thorough: false,
});

it('refuses float16 for what WebGPU asks of it', async () => {
  const backend = await onnxBackend({ device: 'webgpu' });
  const half = trace('half', { x: { shape: [2], dtype: 'float16' } }, ({ x }) => ({ y: neg(x) }));
  await expect(backend.compile(half)).rejects.toThrow(
    '[fkm/backend-onnx] half: neg: float16 on WebGPU needs shader-f16, which not every GPU has; cast to float32.',
  );
  await backend.dispose();
});

describe('tensors on the GPU', () => {
  const graph = trace('negate', { x: { shape: [BATCH, 2], dtype: 'float32' } }, ({ x }) => ({ y: neg(x) }));
  const two = ndarray([1, 2, 3, 4], [2, 2]);

  it('stay there from run to run, and come back when they are read', async () => {
    const backend = await onnxBackend({ device: 'webgpu' });
    expect(backend.flags.memory).toBe('device');
    const executable = await backend.compile(graph);
    const [first] = (await executable.run([backend.upload(two)])) as [Value];
    const [second] = (await executable.run([first])) as [Value];
    expect(Array.from(await second.read())).toEqual([1, 2, 3, 4]);
    expect(Array.from(await first.read())).toEqual([-1, -2, -3, -4]);
    await backend.dispose();
  });

  it('are refused by sessions of the CPU, which would read garbage', async () => {
    const [gpu, cpu] = [await onnxBackend({ device: 'webgpu' }), await onnxBackend()];
    const [value] = (await (await gpu.compile(graph)).run([gpu.upload(two)])) as [Value];
    await expect((await cpu.compile(graph)).run([value])).rejects.toThrow(
      '[fkm/backend-onnx] a value on onnx webgpu cannot be used on onnx cpu; read() it and upload() it there.',
    );
    await Promise.all([gpu.dispose(), cpu.dispose()]);
  });
});
