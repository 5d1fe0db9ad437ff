// onnxruntime-web on the CPU: for browsers, and for Node where no native package may be installed.

import type { DType } from '@fkm/core/graph';
import type { Driver, WasmPaths } from './driver.js';
import { withDtypes } from './dtypes.js';
import { loadWasm } from './load.js';

/** Settings of onnxruntime-web, which its sessions read. */
interface WithSettings {
  readonly env?: { readonly wasm?: { wasmPaths?: WasmPaths; numThreads?: number } };
}

const dtypes: readonly DType[] = ['float32', 'float16', 'int32', 'bool'];

export const wasm: Driver = {
  name: 'onnx wasm',
  flags: { dtypes, fused: ['takeAlong'], memory: 'host', precision: 'float32' },
  async load({ wasmPaths, threads }) {
    const ort = await loadWasm();
    const own = (ort as WithSettings).env?.wasm;
    if (own && wasmPaths !== undefined) own.wasmPaths = wasmPaths;
    if (own && threads !== undefined) own.numThreads = threads;
    return ort;
  },
  session: () => ({ executionProviders: ['wasm'], graphOptimizationLevel: 'all', logSeverityLevel: 3 }),
  unsupported: withDtypes(dtypes),
};
