// Uniforms of a kernel, one for each number of rows.

import { Recent } from '@fkm/core/internal';
import { type GpuBuffer, type GpuDevice, usage } from './gpu.js';

/** Uniforms that a kernel keeps, those used last. */
export const mostUniforms = 64;

export class Uniforms {
  private readonly device: GpuDevice;
  // An evicted one is not destroyed: commands that read it may not be submitted yet.
  private readonly recent = new Recent<string, GpuBuffer>(mostUniforms);

  constructor(device: GpuDevice) {
    this.device = device;
  }

  /** A buffer of these four numbers. */
  of(...numbers: readonly [number, number, number, number]): GpuBuffer {
    return this.recent.get(numbers.join(), () => {
      const buffer = this.device.createBuffer({ size: 16, usage: usage.uniform | usage.copyDestination });
      this.device.queue.writeBuffer(buffer, 0, Uint32Array.of(...numbers));
      return buffer;
    });
  }

  dispose(): void {
    for (const buffer of this.recent.takeAll()) buffer.destroy();
  }
}
