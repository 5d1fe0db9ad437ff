// Transfers arrays to and from a device, for tests and benches.

import type { GpuBuffer, GpuDevice } from '../gpu.js';
import { mapRead, usage } from '../gpu.js';

/** A buffer with these elements, or of this many bytes. */
export function bufferOf(device: GpuDevice, content: ArrayBufferView | number): GpuBuffer {
  const bytes = typeof content === 'number' ? content : content.byteLength;
  const buffer = device.createBuffer({
    size: Math.max(16, Math.ceil(bytes / 4) * 4),
    usage: usage.storage | usage.copySource | usage.copyDestination,
  });
  if (typeof content !== 'number') device.queue.writeBuffer(buffer, 0, content);
  return buffer;
}

/** The first bytes of a buffer. */
export async function readBack(device: GpuDevice, buffer: GpuBuffer, bytes: number): Promise<ArrayBuffer> {
  const size = Math.ceil(bytes / 4) * 4;
  const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyDestination });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(mapRead);
  const copy = staging.getMappedRange().slice(0, bytes);
  staging.unmap();
  staging.destroy();
  return copy;
}
