import { describeBackend, describeEstimators, describeTransfers } from '@fkm/conformance';
import { add, BATCH, evaluateGraph, ndarray, nearest, type Tensor, trace } from '@fkm/core/graph';
import { expect, it } from 'vitest';
import { onnxBackend } from './index.js';
import { onWebGpu } from './known-gaps.js';

const make = () => onnxBackend({ device: 'webgpu' });

// First, for shaders are compiled once a device.
it('searches by kernels on the device that sessions run on', async () => {
  const { prototype } = (globalThis as unknown as Record<string, { prototype: Record<string, unknown> }>)
    .GPUDevice as { prototype: Record<string, unknown> };
  const own = prototype.createShaderModule as (descriptor: { code: string }) => object;
  const codes: string[] = [];
  prototype.createShaderModule = function (descriptor: { code: string }) {
    codes.push(descriptor.code);
    return own.call(this, descriptor);
  };
  try {
    const backend = await make();
    expect(backend.flags.fused).toContain('nearest.l1');
    const specs = {
      x: { shape: [BATCH, 3], dtype: 'float32' },
      p: { shape: [5, 3], dtype: 'float32' },
    } as const;
    const graph = trace('search', specs, ({ x, p }: { x: Tensor; p: Tensor }) => {
      const { index, delta } = nearest({ distance: 'l1', x: add(x, 1), prototypes: p });
      return { index, far: add(delta, 1) };
    });
    const arrays = [
      ndarray([0, 1, 2, 3, 4, 5], [2, 3]),
      ndarray(
        Array.from({ length: 15 }, (_, i) => (i * i) % 7),
        [5, 3],
      ),
    ];
    const executable = await backend.compile(graph);
    const results = await executable.run(arrays.map((array) => backend.upload(array)));
    const read = await Promise.all(results.map(async (value) => [...(await value.read())]));
    expect(read).toEqual(evaluateGraph(graph, arrays).map(({ data }) => [...data]));
    expect(codes.filter((code) => code.includes('prepared'))).not.toEqual([]);
    const other = await onnxBackend({ device: 'wasm' });
    await expect(executable.run(arrays.map((array) => other.upload(array)))).rejects.toThrow(
      'a value on onnx wasm cannot be used on onnx webgpu',
    );
    executable.dispose();
    await expect(executable.run(arrays.map((array) => backend.upload(array)))).rejects.toThrow(
      'this executable was disposed; compile it again',
    );
    await Promise.all([backend.dispose(), other.dispose()]);
  } finally {
    prototype.createShaderModule = own;
  }
});

describeBackend('onnx webgpu', make, { knownGaps: onWebGpu });
describeEstimators('onnx webgpu', make, { thorough: false });
describeTransfers('onnx webgpu', make);
