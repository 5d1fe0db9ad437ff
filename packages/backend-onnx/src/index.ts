// `@fkm/backend-onnx`: runs graphs of @fkm/core on onnxruntime.

export type { OrtModule, WasmPaths } from './driver.js';
export { type OnnxBackendOptions, type OnnxDevice, onnxBackend } from './onnx-backend.js';
