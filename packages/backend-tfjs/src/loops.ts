// Loops over small equations on tfjs' webgpu device, each one kernel in its pass.

import type { Equation } from '@fkm/core/graph';
import type { LoopKernel, Loops } from '@fkm/webgpu';
import type { Lowered } from './gpu-kernels.js';
import { bufferOf, encodeKernel, type WebGpuStorage } from './gpu-storage.js';
import { bindShape, perRows } from './layout.js';

/** A composite that `fuseLoops` made. */
export function lowerLoop(gpu: WebGpuStorage, loops: Loops, equation: Equation<'composite'>): Lowered {
  let kernel: LoopKernel | undefined;
  const shapes = equation.outputs.map(({ shape }) => perRows([shape], (rows) => bindShape(shape, rows)));
  return {
    run: (tensors, rows) => {
      kernel ??= loops.compile(equation.attrs.body);
      const results = equation.outputs.map(({ dtype }, i) =>
        gpu.makeTensorInfo([...(shapes[i] as (rows: number) => number[])(rows)], dtype),
      );
      const [from, to] = [tensors, results].map((list) => list.map((tensor) => bufferOf(gpu, tensor)));
      const ready = kernel;
      encodeKernel(gpu, (pass) =>
        ready.encode(pass, rows, from as NonNullable<typeof from>, to as NonNullable<typeof to>),
      );
      return results;
    },
    dispose: () => undefined,
  };
}
