// The backends by their names on the command line, each imported on demand.

import { type Backend, jsBackend } from '@fkm/core';

export type BackendName = 'onnx' | 'js' | 'tfjs-cpu' | 'tfjs-wasm';

const backends: Readonly<Record<BackendName, () => Promise<Backend>>> = {
  onnx: async () => (await import('@fkm/backend-onnx')).onnxBackend(),
  js: async () => jsBackend(),
  'tfjs-cpu': async () => (await import('@fkm/backend-tfjs')).tfjsBackend({ device: 'cpu' }),
  'tfjs-wasm': async () => (await import('@fkm/backend-tfjs')).tfjsBackend({ device: 'wasm' }),
};

export const backendNames: readonly BackendName[] = Object.keys(backends) as BackendName[];

export const openBackend = (name: BackendName): Promise<Backend> => backends[name]();
