// onnxruntime-node on the CPU.

import type { DType } from '@fkm/core/graph';
import type { Driver } from './driver.js';
import { withDtypes } from './dtypes.js';
import { loadNode } from './load.js';

const dtypes: readonly DType[] = ['float32', 'float16', 'int32', 'bool'];

export const cpu: Driver = {
  name: 'onnx cpu',
  flags: { dtypes, fused: ['takeAlong'], memory: 'host', precision: 'float32' },
  load: loadNode,
  session: ({ threads }) => ({
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    // Only errors: the runtime warns about every initialiser that it folds.
    logSeverityLevel: 3,
    // By default, its threads go on spinning after a call, on cores that V8's collector needs then; steps of finetune took half as
    // long again.
    extra: { session: { force_spinning_stop: '1' } },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  }),
  unsupported: withDtypes(dtypes),
};
