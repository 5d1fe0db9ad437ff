// Pipelines of a device, cached by their code: equal kernels are compiled once.

import { defaultMaxGraphs, Recent } from '@fkm/core/internal';
import type { GpuDevice } from './gpu.js';

export type Pipeline = ReturnType<GpuDevice['createComputePipeline']>;

/** Pipelines kept for a device, those used last. A graph has up to about 30; kernels hold their own as long as they exist. */
export const mostPipelines: number = 16 * defaultMaxGraphs;

const known = new WeakMap<GpuDevice, Recent<string, Pipeline>>();

/** The pipeline of this code, whose entry point is `main`. */
export function pipelineOf(device: GpuDevice, code: string): Pipeline {
  let own = known.get(device);
  if (!own) {
    own = new Recent(mostPipelines);
    known.set(device, own);
  }
  return own.get(code, () =>
    device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
    }),
  );
}
