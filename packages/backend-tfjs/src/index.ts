export { type TfjsBackendOptions, tfjsBackend } from './backend.js';
export type { DeviceName, WasmPaths } from './drivers.js';
export type { Attributes, TensorInfo, TfjsCore, TfjsKernel, TfjsStorage } from './tfjs.js';
