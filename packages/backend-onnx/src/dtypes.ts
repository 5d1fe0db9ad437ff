// The dtypes that a device supports, checked for every equation before compiling.

import type { DType, Equation } from '@fkm/core/graph';

/** Why a dtype is not supported. float16 is missing only on WebGPU, where onnxruntime supports it on GPUs with shader-f16. */
const reason = (dtype: DType): string =>
  dtype === 'float16'
    ? 'float16 on WebGPU needs shader-f16, which not every GPU has'
    : `onnxruntime has no ${dtype} tensors in JavaScript`;

/** Refuses equations with other dtypes, with the reason. */
export const withDtypes =
  (dtypes: readonly DType[]) =>
  ({ op, inputs, outputs }: Equation): string | null => {
    for (const { dtype } of [...inputs, ...outputs]) {
      if (!dtypes.includes(dtype)) return `${op}: ${reason(dtype)}; cast to float32.`;
    }
    return null;
  };
