// onnxruntime-node on the CPU.

import { BackendError, type DType, type Equation } from '@fkm/core/graph';
import type { Driver } from './driver.js';

const dtypes: readonly DType[] = ['float32', 'float16', 'int32', 'bool'];

function unsupported({ op, inputs, outputs }: Equation): string | null {
  for (const { dtype } of [...inputs, ...outputs]) {
    if (!dtypes.includes(dtype))
      return `${op}: onnxruntime has no ${dtype} tensors in JavaScript; cast to float32.`;
  }
  return null;
}

export const cpu: Driver = {
  name: 'onnx cpu',
  flags: { dtypes, fused: [], memory: 'host', precision: 'float32' },
  async load() {
    try {
      return await import('onnxruntime-node');
    } catch (cause) {
      throw new BackendError(
        'onnxBackend: onnxruntime-node cannot be loaded; run `npm install onnxruntime-node@1.30.0`, or hand in { ort }.',
        { cause },
        'backend-onnx',
      );
    }
  },
  session: ({ threads }) => ({
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    // Errors only: the runtime warns about every initialiser that it folds away.
    logSeverityLevel: 3,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  }),
  unsupported,
};
