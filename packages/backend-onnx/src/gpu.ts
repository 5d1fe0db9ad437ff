// GPUs through onnxruntime: WebGPU in browsers and in Node, CUDA in Node.

import { BackendError, cut, type DType } from '@fkm/core/graph';
import type { Driver, DriverOptions, SessionOptions } from './driver.js';
import { withDtypes } from './dtypes.js';
import { inNode, loadNode, loadWebGpu } from './load.js';

const dtypes: readonly DType[] = ['float32', 'int32', 'bool'];

const quiet = { graphOptimizationLevel: 'all', logSeverityLevel: 3 } as const;

/**
 * Turns TF32 off: cuBLAS would round the operands of float32 products to 10 bits. The binding has no option for this, so the
 * environment variable is set before the first session loads cuBLAS; an existing value is kept.
 */
function inFullFloat32(): void {
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
}

const onWebGpu = ({ device }: DriverOptions): SessionOptions => ({
  ...quiet,
  executionProviders: [device ? { name: 'webgpu', device } : 'webgpu'],
});

export const webgpu: Driver = {
  name: 'onnx webgpu',
  flags: { dtypes, fused: [], memory: 'device', precision: 'float32' },
  load: () => (inNode() ? loadNode() : loadWebGpu()),
  // In browsers, the wasm module is suspended while it waits for the GPU and allows no other call meanwhile.
  exclusive: true,
  // Its scatter adds with atomics, in a different order each time.
  lowering: { scatter: 'product' },
  // A preferred location applies to all outputs; preallocated ones are then ignored.
  session: (options) => ({ ...onWebGpu(options), preferredOutputLocation: 'gpu-buffer' }),
  download: onWebGpu,
  shares: true,
  unsupported: withDtypes(dtypes),
  explain: (cause) =>
    new BackendError(
      `onnxBackend: device 'webgpu' found no GPU (${cut(cause.message.trim())}). In Node it needs a Vulkan loader (Debian: libvulkan1) ` +
        "and a driver that VK_DRIVER_FILES or the system names, or Metal or Direct3D 12; in a browser, one with WebGPU. Use device: 'cpu' or 'wasm' instead.",
      { device: 'webgpu', cause },
      'backend-onnx',
    ),
};

export const cuda: Driver = {
  name: 'onnx cuda',
  // The binding of onnxruntime-node only takes and returns host tensors, so state is transferred twice a step.
  flags: { dtypes: [...dtypes, 'float16'], fused: [], memory: 'host', precision: 'float32' },
  load: loadNode,
  // Its scatter adds with atomics whatever the session options say; sums over rows are deterministic if the options ask for it.
  lowering: { scatter: 'product' },
  session: () => {
    inFullFloat32();
    const extra = { session: { use_deterministic_compute: '1' } };
    return { ...quiet, executionProviders: [{ name: 'cuda', deviceId: 0 }], extra };
  },
  unsupported: withDtypes([...dtypes, 'float16']),
  explain: (cause) =>
    new BackendError(
      `onnxBackend: device 'cuda' needs libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so of ` +
        `onnxruntime 1.30.0 beside onnxruntime_binding.node, CUDA and cuDNN (${cut(cause.message.trim())}). Installing onnxruntime-node@1.30.0 with its ` +
        "postinstall script downloads the two; without network they are in Python's wheel onnxruntime-gpu of that version. Use device: 'webgpu' or 'cpu' instead.",
      { device: 'cuda', cause },
      'backend-onnx',
    ),
};
