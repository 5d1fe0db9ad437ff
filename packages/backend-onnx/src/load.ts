// Imports the runtimes, which are peer dependencies: a missing one is an error with its install command.

import { BackendError } from '@fkm/core/graph';
import type { OrtModule } from './driver.js';

async function load(name: string, importer: () => Promise<unknown>): Promise<OrtModule> {
  try {
    return (await importer()) as OrtModule;
  } catch (cause) {
    throw new BackendError(
      `onnxBackend: ${name} cannot be loaded; run \`npm install ${name}@1.30.0\`, or hand in { ort }.`,
      { cause },
      'backend-onnx',
    );
  }
}

export const loadNode = (): Promise<OrtModule> => load('onnxruntime-node', () => import('onnxruntime-node'));
/** The entry without GPUs exists only for browsers; in Node the default entry is used. */
export const loadWasm = (): Promise<OrtModule> =>
  load('onnxruntime-web', () => (inNode() ? import('onnxruntime-web') : import('onnxruntime-web/wasm')));
/** The native WebGPU provider: the default entry has an older one, which runs more ops on the CPU. */
export const loadWebGpu = (): Promise<OrtModule> =>
  load('onnxruntime-web', () => import('onnxruntime-web/webgpu'));

/** Whether this is Node, where onnxruntime-node has its own providers. */
export const inNode = (): boolean => typeof process !== 'undefined' && Boolean(process.versions?.node);
