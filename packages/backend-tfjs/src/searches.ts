// The composites that search prototypes and add up their rows, as fused kernels: compute passes between those of tfjs.

import type { Equation } from '@fkm/core/graph';
import { compositeKernel } from '@fkm/webgpu';
import type { Lowered } from './gpu-kernels.js';
import { bufferOf, encoderOf, submit, type WebGpuStorage } from './gpu-storage.js';
import { bindShape, perRows } from './layout.js';

/** A composite, or undefined where it has no kernel. */
export function lowerComposite(gpu: WebGpuStorage, equation: Equation<'composite'>): Lowered | undefined {
  const kernel = compositeKernel(gpu.device, equation);
  if (!kernel) return undefined;
  const shapes = equation.outputs.map(({ shape }) => perRows([shape], (rows) => bindShape(shape, rows)));
  return {
    run: (tensors) => {
      const rows = tensors[0]?.shape[0] as number;
      const results = equation.outputs.map(({ dtype }, i) =>
        gpu.makeTensorInfo([...(shapes[i] as (rows: number) => number[])(rows)], dtype),
      );
      const [from, to] = [tensors, results].map((list) => list.map((tensor) => bufferOf(gpu, tensor)));
      kernel.encode(encoderOf(gpu), rows, from as NonNullable<typeof from>, to as NonNullable<typeof to>);
      return results;
    },
    dispose: () => {
      // Commands that use its memory may wait to be submitted.
      submit(gpu);
      kernel.dispose();
    },
  };
}
