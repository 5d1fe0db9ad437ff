// Pipelines of a device, cached by their code: equal kernels are compiled once.

import type { GpuDevice } from './gpu.js';

export type Pipeline = ReturnType<GpuDevice['createComputePipeline']>;

const known = new WeakMap<GpuDevice, Map<string, Pipeline>>();

/** The pipeline of this code, whose entry point is `main`. */
export function pipelineOf(device: GpuDevice, code: string): Pipeline {
  let own = known.get(device);
  if (!own) {
    own = new Map();
    known.set(device, own);
  }
  let pipeline = own.get(code);
  if (!pipeline) {
    pipeline = device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
    });
    own.set(code, pipeline);
  }
  return pipeline;
}
