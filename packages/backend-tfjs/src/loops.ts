// Fused loops over small equations on tfjs' webgpu device, one kernel each, in its compute pass.

import type { Equation } from '@fkm/core/graph';
import type { LoopKernel, Loops } from '@fkm/webgpu';
import { encodeKernel, runOf, type WebGpuStorage } from './gpu-storage.js';
import type { CompositeKernel } from './kernel-types.js';

/** A composite from `fuseLoops`. */
export function lowerLoop(
  gpu: WebGpuStorage,
  loops: Loops,
  equation: Equation<'composite'>,
): CompositeKernel {
  let kernel: LoopKernel | undefined;
  return {
    run: runOf(gpu, equation, (rows, from, to) => {
      kernel ??= loops.compile(equation.attrs.body);
      const ready = kernel;
      encodeKernel(gpu, (pass) => ready.encode(pass, rows, from, to));
    }),
    dispose: () => undefined,
  };
}
