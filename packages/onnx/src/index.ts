// `@fkm/onnx`: models and graphs as ONNX. No runtime, no Node built-ins.

export type { Estimator } from '@fkm/core/deploy';
export { exportOnnx } from './export-onnx.js';
export type { ExportOptions } from './export-options.js';
export type { ModelProto } from './generated/onnx_pb.js';
export { type ImportOptions, importOnnx } from './import-onnx.js';
export { printOnnx } from './print-onnx.js';
export { readOnnx } from './read-onnx.js';
export { irVersions, opsets, type ToOnnxOptions, toOnnx } from './to-onnx.js';
