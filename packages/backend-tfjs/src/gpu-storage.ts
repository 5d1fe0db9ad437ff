// Internals of tfjs' WebGPUBackend 4.22.0 that are used: its buffers, command encoder and pass. Our kernels are encoded among its
// own; order and memory stay under its control.

import type { Equation } from '@fkm/core/graph';
import {
  type GpuBuffer,
  type GpuCommandEncoder,
  type GpuComputePass,
  type GpuDevice,
  usage,
} from '@fkm/webgpu';
import type { Run } from './kernel-types.js';
import { bindShape, perRows } from './layout.js';
import type { TensorInfo, TfjsStorage } from './tfjs.js';

/** The memory of a tensor in tfjs. */
interface TensorData {
  resource?: GpuBuffer | null;
  values: unknown;
}

export interface WebGpuStorage extends TfjsStorage {
  readonly device: GpuDevice;
  readonly tensorMap: { get(dataId: object): TensorData };
  readonly bufferManager: { acquireBuffer(size: number, usage: number): GpuBuffer };
  readonly commandEncoder: GpuCommandEncoder | null;
  computePassEncoder: (GpuComputePass & { end(): void }) | null;
  /** Number of kernels since the last submission. */
  dispatchCountInPass: number;
  /** Tensors in commands that are not submitted yet; their memory is kept until then. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  uploadToGPU(dataId: object): void;
  makeTensorInfo(shape: readonly number[], dtype: string): TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** Number of kernels after which commands are submitted, which frees the memory they held; same as in tfjs. */
const mostKernels = 15;

/** The memory of a tensor, kept until the commands that use it are submitted. */
export function bufferOf(gpu: WebGpuStorage, { dataId }: TensorInfo): GpuBuffer {
  gpu.uploadToGPU(dataId);
  gpu.commandQueueOwnedIds.add(dataId);
  return gpu.tensorMap.get(dataId).resource as GpuBuffer;
}

/** tfjs' encoder, between passes. */
export function encoderOf(gpu: WebGpuStorage): GpuCommandEncoder {
  gpu.ensureCommandEncoderReady();
  gpu.endComputePassEncoder();
  return gpu.commandEncoder as GpuCommandEncoder;
}

/** Appends one kernel to tfjs' pass. */
export function encodeKernel(gpu: WebGpuStorage, encode: (pass: GpuComputePass) => void): void {
  gpu.ensureCommandEncoderReady();
  gpu.computePassEncoder ??= (gpu.commandEncoder as GpuCommandEncoder).beginComputePass();
  encode(gpu.computePassEncoder);
  if (++gpu.dispatchCountInPass >= mostKernels) submit(gpu);
}

/** Runs a kernel on the memory of tensors; its results are new tensors in the shapes of the equation. */
export function runOf(
  gpu: WebGpuStorage,
  { outputs }: Equation,
  encode: (rows: number, from: readonly GpuBuffer[], to: readonly GpuBuffer[]) => void,
): Run {
  const shapes = outputs.map(({ shape }) => perRows([shape], (rows) => bindShape(shape, rows)));
  return (tensors, rows) => {
    const results = outputs.map(({ dtype }, i) =>
      gpu.makeTensorInfo([...(shapes[i] as (rows: number) => number[])(rows)], dtype),
    );
    const buffers = (list: readonly TensorInfo[]): GpuBuffer[] => list.map((tensor) => bufferOf(gpu, tensor));
    encode(rows, buffers(tensors), buffers(results));
    return results;
  };
}

/** Submits pending commands, if any. */
export function submit(gpu: WebGpuStorage): void {
  if (!gpu.commandEncoder) return;
  gpu.endComputePassEncoder();
  gpu.submitQueue();
}

/** Uploads through the queue, which ends no pass and maps no buffer; tfjs creates and destroys a buffer for each upload. */
export function write(
  gpu: WebGpuStorage,
  values: Float32Array | Int32Array | Uint8Array,
  shape: number[],
  dtype: string,
): object {
  if (values.length === 0) return gpu.write(values, shape, dtype);
  const dataId = gpu.write(null as never, shape, dtype);
  const bytes = values instanceof Uint8Array ? Int32Array.from(values) : values;
  const buffer = gpu.bufferManager.acquireBuffer(
    bytes.byteLength,
    usage.storage | usage.copySource | usage.copyDestination,
  );
  // A free buffer is not used by any pending command.
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  gpu.tensorMap.get(dataId).resource = buffer;
  return dataId;
}
