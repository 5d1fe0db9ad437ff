// The composites that search prototypes and add up their rows, as fused kernels: compute passes between those of tfjs.

import type { Equation } from '@fkm/core/graph';
import { compositeKernel } from '@fkm/webgpu';
import { encoderOf, runOf, submit, type WebGpuStorage } from './gpu-storage.js';
import type { CompositeKernel } from './kernel-types.js';

/** A composite that has a kernel. */
export function lowerComposite(gpu: WebGpuStorage, equation: Equation<'composite'>): CompositeKernel {
  const kernel = compositeKernel(gpu.device, equation) as NonNullable<ReturnType<typeof compositeKernel>>;
  const run = runOf(gpu, equation, (rows, from, to) => kernel.encode(encoderOf(gpu), rows, from, to));
  return {
    // Rows of its own: those of a graph are its batch's, which it need not search.
    run: (tensors) => run(tensors, tensors[0]?.shape[0] as number),
    dispose: () => {
      // Commands that use its memory may wait to be submitted.
      submit(gpu);
      kernel.dispose();
    },
  };
}
