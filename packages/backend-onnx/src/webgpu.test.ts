import { describeBackend } from '@fkm/conformance';
import { BATCH, ndarray, neg, trace, type Value } from '@fkm/core/graph';
import { useSwiftShader } from '@fkm/webgpu/testing';
import { describe, expect, it } from 'vitest';
import { onnxBackend } from './index.js';

useSwiftShader();

// Shaders may take it that no number is NaN or infinite, and smaller ones than 2^-126 are 0 there.
const fastMath = 'WGSL lets implementations assume finite numbers';
const denormals = 'GPUs flush denormal numbers to 0';
// Four bools share a word in this kernel, and one operand with one column is read as if it had four.
const packedBools = 'onnxruntime 1.30 broadcasts bools wrongly along both operands';

describeBackend('onnx webgpu', () => onnxBackend({ device: 'webgpu' }), {
  knownGaps: {
    'and bool [1,4]+[B,1]': packedBools,
    'eq float32 [4,1]+[1,4] denormals': denormals,
    'lt float32 [4,1]+[1,4] denormals': denormals,
    'exp float32 [2] denormals': denormals,
    'log float32 [2] denormals': denormals,
    'exp float32 [11] special values': fastMath,
    'log float32 [10] special values': fastMath,
    'topK float32 [B,3] k=3 infinite': fastMath,
    'topK float32 [B,3] k=3 infinite B=1': fastMath,
  },
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
