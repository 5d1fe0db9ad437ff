// Loops on a device: one pipeline for each, and one uniform buffer for each number of rows, which all share.

import type { Graph } from '@fkm/core/graph';
import type { GpuBuffer, GpuComputePass, GpuDevice } from '../gpu.js';
import { pipelineOf } from '../pipelines.js';
import { Uniforms } from '../uniforms.js';
import { elements } from './indices.js';
import { loopShader } from './shader.js';

/** A compiled loop. */
export interface LoopKernel {
  /**
   * Appends the loop over `rows` rows, with the arrays of the body's inputs and outputs in order, each from the start of its
   * buffer.
   */
  encode(
    pass: GpuComputePass,
    rows: number,
    inputs: readonly GpuBuffer[],
    outputs: readonly GpuBuffer[],
  ): void;
}

/** Compiles loop bodies for one device. Bools take four bytes. */
export class Loops {
  private readonly device: GpuDevice;
  private readonly uniforms: Uniforms;

  constructor(device: GpuDevice) {
    this.device = device;
    this.uniforms = new Uniforms(device);
  }

  compile(body: Graph): LoopKernel {
    const { device } = this;
    const { code, reads, work, perGroup } = loopShader(body);
    const pipeline = pipelineOf(device, code);
    const groupOf = boundOnce(device, pipeline.getBindGroupLayout(0));
    const most = device.limits.maxComputeWorkgroupsPerDimension;
    return {
      encode: (pass, rows, inputs, outputs) => {
        const arrays = [
          ...reads.map((at) => inputs[at] as GpuBuffer),
          ...outputs,
          this.uniforms.of(rows, 0x7fc00000, 0xff800000, 0x7f800000),
        ];
        const groups = Math.ceil(elements(work, rows) / perGroup);
        const across = Math.min(groups, most);
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, groupOf(arrays));
        pass.dispatchWorkgroups(across, Math.ceil(groups / across));
      },
    };
  }

  dispose(): void {
    this.uniforms.dispose();
  }
}

/** Bind groups kept: buffers recur in the same order in every step. */
const mostGroups = 64;
const numbers = new WeakMap<GpuBuffer, number>();
let next = 0;

/** Bind groups of these buffers, cached: creating them is most of a small kernel's cost on the host. */
function boundOnce(device: GpuDevice, layout: object): (buffers: readonly GpuBuffer[]) => object {
  const groups = new Map<string, object>();
  return (buffers) => {
    let key = '';
    for (const buffer of buffers) {
      let number = numbers.get(buffer);
      if (number === undefined) {
        number = next++;
        numbers.set(buffer, number);
      }
      key += `${number} `;
    }
    let group = groups.get(key);
    if (!group) {
      group = device.createBindGroup({
        layout,
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      if (groups.size >= mostGroups) groups.clear();
      groups.set(key, group);
    }
    return group;
  };
}
