// What is used of tfjs' WebGPUBackend 4.22.0 beyond its storage: its buffers, its command encoder and its pass, so that kernels
// of ours come between its own, and order and memory stay its business.

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

/** The memory of a tensor as tfjs keeps it. */
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
  /** Kernels since the last submission. */
  dispatchCountInPass: number;
  /** Tensors of commands that were not submitted yet: their memory is kept until they are. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  uploadToGPU(dataId: object): void;
  makeTensorInfo(shape: readonly number[], dtype: string): TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** Kernels after which commands are submitted, and the memory that they held is free; as tfjs has it. */
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

/** Runs a kernel over the memory of tensors: its results are new ones, of the shapes of the equation. */
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

/** Submits the commands so far, if there are any. */
export function submit(gpu: WebGpuStorage): void {
  if (!gpu.commandEncoder) return;
  gpu.endComputePassEncoder();
  gpu.submitQueue();
}

/** Host to device through the queue, which breaks no pass and maps no buffer: tfjs makes and destroys one an upload. */
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
  // A buffer that is free is used by no command that waits.
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  gpu.tensorMap.get(dataId).resource = buffer;
  return dataId;
}
