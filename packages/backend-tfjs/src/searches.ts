// The composites that search prototypes and add up rows, as fused kernels: compute passes between those of tfjs.

import type { Equation } from '@fkm/core/graph';
import { compositeKernel } from '@fkm/webgpu';
import { encoderOf, runOf, submit, type WebGpuStorage } from './gpu-storage.js';
import type { CompositeKernel } from './kernel-types.js';

/** A composite with a kernel. */
export function lowerComposite(gpu: WebGpuStorage, equation: Equation<'composite'>): CompositeKernel {
  const kernel = compositeKernel(gpu.device, equation) as NonNullable<ReturnType<typeof compositeKernel>>;
  const run = runOf(gpu, equation, (rows, from, to) => kernel.encode(encoderOf(gpu), rows, from, to));
  return {
    // The number of rows comes from the operand: the graph's batch may be something else.
    run: (tensors) => run(tensors, tensors[0]?.shape[0] as number),
    dispose: () => {
      // Pending commands may still use its memory.
      submit(gpu);
      kernel.dispose();
    },
  };
}
