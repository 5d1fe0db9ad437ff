// Which tensors a device has: asked of every equation before it is compiled.

import type { DType, Equation } from '@fkm/core/graph';

/** Refuses equations with other dtypes, in words. */
export const withDtypes =
  (dtypes: readonly DType[]) =>
  ({ op, inputs, outputs }: Equation): string | null => {
    for (const { dtype } of [...inputs, ...outputs]) {
      if (!dtypes.includes(dtype))
        return `${op}: onnxruntime has no ${dtype} tensors in JavaScript; cast to float32.`;
    }
    return null;
  };
