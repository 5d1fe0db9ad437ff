// The GPUDevice that onnxruntime-web sessions share with our kernels, and the tensors that pass between them.

import type { Equation, Shape } from '@fkm/core/graph';
import type { CompositeKernel, GpuBuffer, GpuDevice } from '@fkm/webgpu';
import type { OrtModule, OrtTensor } from './driver.js';
import { isOnHost } from './runtime.js';

/** A device, and the composites that have kernels on it. */
export interface SharedGpu {
  readonly device: GpuDevice;
  /** Usage flags of a buffer that kernels read and write and that is copied from and to. */
  readonly storage: number;
  readonly names: readonly string[];
  hasKernel(equation: Equation<'composite'>): boolean;
  kernel(equation: Equation<'composite'>): CompositeKernel;
}

/** One device for all backends on a module, since the module caches what it creates for a device. */
const opened = new WeakMap<OrtModule, Promise<SharedGpu>>();

/** The device of a module, opened at the first call. Errors: BackendError if there is none. */
export function sharedGpu(ort: OrtModule): Promise<SharedGpu> {
  let gpu = opened.get(ort);
  if (!gpu) {
    gpu = open();
    opened.set(ort, gpu);
    const forget = (): void => {
      opened.delete(ort);
    };
    gpu.then(({ device }) => device.lost.then(forget), forget);
  }
  return gpu;
}

async function open(): Promise<SharedGpu> {
  const { compositeKernel, compositeNames, hasKernel, openDevice, usage } = await import('@fkm/webgpu');
  const { device } = await openDevice();
  return {
    device,
    storage: usage.storage | usage.copySource | usage.copyDestination,
    names: compositeNames,
    hasKernel,
    kernel: (equation) => compositeKernel(device, equation) as CompositeKernel,
  };
}

/** A new tensor on the device, whose memory is freed with it. */
export function makeTensor(
  ort: OrtModule,
  { device, storage }: SharedGpu,
  dataType: 'float32' | 'int32',
  dims: Shape,
): { tensor: OrtTensor; buffer: GpuBuffer } {
  const bytes = 4 * dims.reduce((a, b) => a * b, 1);
  // In steps of 16 bytes, like onnxruntime's own buffers, since its kernels read four numbers at a time.
  const buffer = device.createBuffer({ size: 16 * Math.max(1, Math.ceil(bytes / 16)), usage: storage });
  const tensor = ort.Tensor.fromGpuBuffer(buffer as never, {
    dataType,
    dims,
    dispose: () => buffer.destroy(),
  });
  return { tensor, buffer };
}

/** The memory of a tensor on the device, or an uploaded copy of one on the host; `free` frees the copy. */
export function bufferOf(
  { device, storage }: SharedGpu,
  tensor: OrtTensor,
): { buffer: GpuBuffer; free?: () => void } {
  if (!isOnHost(tensor)) return { buffer: tensor.gpuBuffer as GpuBuffer };
  const data = tensor.data as ArrayBufferView;
  const buffer = device.createBuffer({ size: Math.max(4, data.byteLength), usage: storage });
  device.queue.writeBuffer(buffer, 0, data);
  return { buffer, free: () => buffer.destroy() };
}
