// Which tensors a device has: asked of every equation before it is compiled.

import type { DType, Equation } from '@fkm/core/graph';

/** Why a type is missing. float16 is so on WebGPU alone, where onnxruntime has it on GPUs with shader-f16. */
const reason = (dtype: DType): string =>
  dtype === 'float16'
    ? 'float16 on WebGPU needs shader-f16, which not every GPU has'
    : `onnxruntime has no ${dtype} tensors in JavaScript`;

/** Refuses equations with other dtypes, in words. */
export const withDtypes =
  (dtypes: readonly DType[]) =>
  ({ op, inputs, outputs }: Equation): string | null => {
    for (const { dtype } of [...inputs, ...outputs]) {
      if (!dtypes.includes(dtype)) return `${op}: ${reason(dtype)}; cast to float32.`;
    }
    return null;
  };
